import type { Fleet } from './fleet'

/** What BullMQ parses as JSON, or counts up, when it takes a job. */
const json = ['opts', 'progress', 'stacktrace'] as const
const counters = ['ats', 'atm', 'stc'] as const

/** What BullMQ writes for flows, repeated jobs and retries: Deblox has none of these, so nobody but a stranger wrote them. */
const foreign = ['id', 'parent', 'parentKey', 'rjk', 'nrjid', 'deid'] as const

/**
 * Removes from the records of a topic's active jobs what BullMQ cannot work with. It has taken such a job, failed over
 * it without saying which it was, and would do so again for ever. Mended, it is found stalled, taken again, and ends
 * as its payload says. To be called when taking jobs has failed, and before anything reads the active jobs.
 */
export async function mendActive({ redis, prefix }: Pick<Fleet, 'redis' | 'prefix'>, topic: string): Promise<void> {
  const keyOf = (name: string): string => `${prefix}:${topic}:${name}`
  const fields = [...json, ...counters, ...foreign]
  for (const id of await redis.lrange(keyOf('active'), 0, -1)) {
    const values = await redis.hmget(keyOf(id), ...fields)
    const bad = fields.filter((field, n) => !isSound(field, values[n] ?? null))
    // Without its lock it is looked for at once.
    if (bad.length > 0)
      await redis
        .multi()
        .hdel(keyOf(id), ...bad)
        .del(keyOf(`${id}:lock`))
        .exec()
  }
}

function isSound(field: string, value: string | null): boolean {
  if (value === null) return true
  if ((foreign as readonly string[]).includes(field)) return false
  if ((counters as readonly string[]).includes(field)) return /^\d{1,9}$/.test(value)
  try {
    const parsed: unknown = JSON.parse(value)
    return field === 'progress' || (typeof parsed === 'object' && parsed !== null)
  } catch {
    return false
  }
}
