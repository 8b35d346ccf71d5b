import type { Opened } from './opened'
import { piecesOf } from './opened'

/** What was sent on each channel, as far as it was kept, and whether there was more. */
export interface Collected {
  bytes: Record<0 | 1 | 2, Buffer>
  truncated: boolean
}

/** Reads all that a call sends, and keeps so many bytes of each channel: what writes more is not held up. */
export async function collect(opened: Pick<Opened, 'call' | 'signal'>, most: number): Promise<Collected> {
  const kept: Record<0 | 1 | 2, Buffer[]> = { 0: [], 1: [], 2: [] }
  const room = { 0: most, 1: most, 2: most }
  let truncated = false
  for await (const { channel, bytes } of piecesOf(opened)) {
    const some = bytes.subarray(0, room[channel])
    if (some.length < bytes.length) truncated = true
    if (some.length === 0) continue
    room[channel] -= some.length
    kept[channel].push(some)
  }
  const bytes = { 0: Buffer.concat(kept[0]), 1: Buffer.concat(kept[1]), 2: Buffer.concat(kept[2]) }
  return { bytes, truncated }
}
