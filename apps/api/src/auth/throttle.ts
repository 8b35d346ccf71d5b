import { DebloxError } from '@deblox/actions/errors'
import type { RedisClient } from '@deblox/fleet/redis'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { networkOf } from '../edges/origin'

/** So many credentials may fail within a minute from one address, and as many with one token's id. */
export const failuresPerMinute = 20

export type Throttle = ReturnType<typeof throttleOf>

/**
 * Counts failed credentials over all replicas, and in this process while Redis is away. A right credential always passes:
 * a secret of 256 bits cannot be guessed, and many people may share an address, as behind a proxy.
 */
export function throttleOf(redis: RedisClient, keyPrefix: string, failures = failuresPerMinute) {
  const settings = { keyPrefix, points: failures, duration: 60 }
  const limiter = new RateLimiterRedis({
    ...settings,
    storeClient: redis,
    rejectIfRedisNotReady: true,
    // What is known to be over the limit is not asked of Redis again.
    inMemoryBlockOnConsumed: failures + 1,
    insuranceLimiter: new RateLimiterMemory(settings),
  })

  /** How long to wait, in milliseconds, where that was one too many; 0 where it was not. */
  async function count(key: string): Promise<number> {
    try {
      await limiter.consume(key)
      return 0
    } catch (reason) {
      if (reason instanceof RateLimiterRes) return reason.msBeforeNext
      throw reason
    }
  }

  function refuseFor(ms: number): void {
    if (ms <= 0) return
    const retryAfter = Math.max(1, Math.ceil(ms / 1000))
    throw new DebloxError(
      'too_many_requests',
      `credentials: expected at most ${failures} a minute that fail, got more; come back in ${retryAfter} s`,
      { details: { retryAfter } },
    )
  }

  return {
    /** To be told of each failure. Throws `too_many_requests` from the first one on that is too many. */
    async failed(address: string, tokenId?: string): Promise<void> {
      const keys = [`address:${networkOf(address)}`, ...(tokenId === undefined ? [] : [`token:${tokenId}`])]
      refuseFor(Math.max(...(await Promise.all(keys.map(count)))))
    },

    /** For what is dear to try. Throws `too_many_requests` where too much from that address has failed. */
    async check(address: string): Promise<void> {
      const result = await limiter.get(`address:${networkOf(address)}`)
      if (result && result.consumedPoints > failures) refuseFor(result.msBeforeNext)
    },
  }
}
