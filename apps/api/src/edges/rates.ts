import { DebloxError } from '@deblox/actions/errors'
import { digest } from '@deblox/fleet/digest'
import type { RedisClient } from '@deblox/fleet/redis'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { networkOf } from './origin'

export interface RateSettings {
  /** Requests a second; 0 for no limit. */
  perIdentity: number
  perAddress: number
}

export interface Rates {
  /** Throws `too_many_requests`. To be asked of every request, before anything is done for it. */
  ofAddress(address: string): Promise<void>
  /** Throws `too_many_requests`. To be asked as soon as it is known who asks. */
  ofIdentity(subject: string): Promise<void>
  /** Stops telling Redis. */
  stop(): void
}

/** Twice the rate may come at once: it is counted over so long, in seconds. */
const windowSeconds = 2

/** The replicas tell each other by Redis what they have counted so often, in milliseconds. */
const tellMs = 500

/** Of a key of which less than this part of the limit came meanwhile nothing is told: it takes many replicas to be over it. */
const worthTelling = 0.05

/**
 * Counts requests. Each replica counts for itself, so that no request waits for Redis, or for a Redis that is away; what it
 * has counted it tells Redis now and then, and a key that is over the limit there is refused here until its window ends.
 */
export function ratesOf(redis: RedisClient, keyPrefix: string, { perIdentity, perAddress }: RateSettings): Rates {
  const identities = counter(redis, `${keyPrefix}:identity`, perIdentity, 'DEBLOX_RATE_PER_IDENTITY')
  const addresses = counter(redis, `${keyPrefix}:address`, perAddress, 'DEBLOX_RATE_PER_ADDRESS')
  return {
    ofAddress: (address) => addresses.count(networkOf(address)),
    ofIdentity: (subject) => identities.count(subject),
    stop() {
      identities.stop()
      addresses.stop()
    },
  }
}

function counter(redis: RedisClient, keyPrefix: string, perSecond: number, variable: string) {
  const points = perSecond * windowSeconds
  const options = { keyPrefix, points, duration: windowSeconds }
  const here = new RateLimiterMemory(options)
  const together = new RateLimiterRedis({ ...options, storeClient: redis, rejectIfRedisNotReady: true })
  let counted = new Map<string, number>()

  const tell = async ([key, count]: [string, number]): Promise<void> => {
    const result = await together.consume(digest(key), count).catch((reason: unknown) => reason)
    // Anything else is a Redis that is away: what is counted here is what there is then.
    if (result instanceof RateLimiterRes && result.consumedPoints > points) {
      await here.block(key, Math.ceil(result.msBeforeNext / 1000))
    }
  }

  const tellAll = (): void => {
    const worth = [...counted].filter(([, count]) => count >= points * worthTelling)
    counted = new Map()
    for (const one of worth) void tell(one)
  }
  const timer = perSecond === 0 ? undefined : setInterval(tellAll, tellMs).unref()

  return {
    async count(key: string): Promise<void> {
      if (perSecond === 0) return
      const result = await here.consume(key).catch((reason: unknown) => reason)
      if (!(result instanceof RateLimiterRes)) throw result
      // What was refused is not told: whoever goes on asking shall be let in again when his window ends.
      if (result.consumedPoints > points) throw tooMany(perSecond, variable, result.msBeforeNext)
      counted.set(key, (counted.get(key) ?? 0) + 1)
    },
    stop: () => clearInterval(timer),
  }
}

function tooMany(perSecond: number, variable: string, leftMs: number): DebloxError {
  const retryAfter = Math.max(1, Math.ceil(leftMs / 1000))
  return new DebloxError(
    'too_many_requests',
    `requests: expected at most ${perSecond} a second (${variable}), got more; come back in ${retryAfter} s`,
    {
      details: { limit: variable === 'DEBLOX_RATE_PER_ADDRESS' ? 'rate-per-address' : 'rate-per-identity', retryAfter },
    },
  )
}
