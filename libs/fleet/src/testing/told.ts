import { type Change, parseChange } from '../changes'
import type { Fleet } from '../fleet'

/** All that was told in the stream of changes since the last look, oldest first. */
export async function toldIn({ redis, keys }: Fleet): Promise<Change[]> {
  const entries = await redis.xrange(keys.changes, '-', '+')
  await redis.del(keys.changes)
  return entries.map((entry) => parseChange(entry) as Change)
}

/** Each in three words: of which kind, what happened, and to what. */
export const words = (changes: Change[]): string[] =>
  changes.map(({ kind, op, object }) => `${kind} ${op} ${object.slice(0, 12)}`)
