import { DebloxError } from '@deblox/actions/errors'
import { readInfo } from './fitness'
import { overRedis, type RedisClient } from './redis'

/** What a request would put into Redis. */
interface Demand {
  slots: number
  /** Of what each slot carries, in characters of JSON. */
  size: number
}

export type MemoryWatch = ReturnType<typeof memoryWatchOf>

/**
 * From these parts of Redis's memory on nothing is taken any more, or nothing but what is small. The rest is for the
 * outcomes of what was accepted: were there no room for those, and none for the workers' leases, nothing would end.
 */
const full = 0.85
const scarce = 0.7

/** What is small: one slot, and so many characters. */
const small = 16_384

/** Without `maxmemory` the machine ends Redis when its memory is used up: this part of it is taken for the bound. */
const ofTheMachine = 0.9

/** A reading is good for so long, in milliseconds. */
const readingLife = 1_000

/** What Redis needs for one slot beside its fields, in bytes: measured, and rounded up (docs/operations.md). */
const perSlot = 4_096

interface Reading {
  used: number
  /** Infinity where Redis does not tell. */
  bound: number
}

/**
 * Watches how full Redis is. It reads when it is asked and its last reading is old: there is no timer to stop. Between two
 * readings what this process has let in is added, so that a flood within one second is seen too.
 */
export function memoryWatchOf(redis: RedisClient, now: () => number = () => performance.now()) {
  let reading: Reading = { used: 0, bound: Infinity }
  let readAt = -Infinity
  let admitted = 0
  let underWay: Promise<void> | undefined

  const read = async (): Promise<void> => {
    const admittedBefore = admitted
    try {
      reading = readingOf(await readInfo(redis, 'memory'))
      readAt = now()
      // What was let in while Redis answered may or may not be in its figure.
      admitted -= admittedBefore
    } finally {
      underWay = undefined
    }
  }

  const ratio = async (): Promise<number> => {
    if (now() - readAt >= readingLife) await (underWay ??= read())
    return (reading.used + admitted) / reading.bound
  }

  return overRedis({
    /** The part of Redis's memory that is in use, 0 where Redis does not tell. */
    ratio,

    /** Throws `redis_full` where what is asked for had better not be put into Redis now. */
    async requireRoom({ slots, size }: Demand): Promise<void> {
      const used = await ratio()
      const isSmall = slots === 1 && size <= small
      const most = isSmall ? full : scarce
      if (used >= most) throw redisFull(used, most)
      admitted += (slots + 1) * (size + perSlot)
    },
  })
}

/** Decides on the fields of INFO. What waits for slow readers and for the disk does not count against `maxmemory`. */
export function readingOf(info: Record<string, string>): Reading {
  const [used, buffers, most, machine] = [
    'used_memory',
    'mem_not_counted_for_evict',
    'maxmemory',
    'total_system_memory',
  ].map((field) => Number(info[field] ?? 0))
  if (most) return { used: (used ?? 0) - (buffers ?? 0), bound: most }
  return { used: used ?? 0, bound: machine ? machine * ofTheMachine : Infinity }
}

function redisFull(used: number, most: number): DebloxError {
  const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`
  const what = most === full ? 'new jobs' : 'a job of several slots or a large one'
  return new DebloxError(
    'redis_full',
    `expected Redis to have less than ${percent(most)} of its memory in use to take ${what}, got ${percent(used)}; ` +
      'try again when jobs have ended and old ones are forgotten, or give Redis more maxmemory',
    { details: { limit: 'redis-memory' } },
  )
}
