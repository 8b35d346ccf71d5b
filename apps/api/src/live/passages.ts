import { DebloxError } from '@deblox/actions/errors'
import type { FleetCopy } from './fleet-copy'
import type { Passage } from './recent'
import { entriesOf } from './refresh'
import { waitFor } from './repeatedly'

/** So many entries are looked at before they are told. */
const atOnce = 200

/** Where Redis is away it is asked again so much later, in milliseconds. */
const retryMs = 250

export interface Told extends Passage {
  /** What came between is not known any more: it goes on from now. */
  gap?: true
}

/**
 * What changed after an entry of the stream, in order and each change once, for as long as the signal lets it: from memory where this
 * replica has it, otherwise from Redis. Nothing is kept for whoever is slow: what he has not come to is read when he comes to it.
 * Where nothing changes it gives an empty passage every `idleMs`.
 */
export async function* passages(
  copy: FleetCopy,
  after: string,
  signal: AbortSignal,
  idleMs: number,
): AsyncGenerator<Told, void> {
  let last = after
  let quietSince = performance.now()
  while (!signal.aborted) {
    const passage = await next(copy, last, signal).catch(unlessAway)
    if (!passage) {
      await waitFor(retryMs, signal)
      continue
    }
    if (passage.last !== last) {
      last = passage.last
      quietSince = performance.now()
      yield passage
      continue
    }
    const left = idleMs - (performance.now() - quietSince)
    if (left > 0) {
      await copy.moved.next(left, signal)
      continue
    }
    quietSince = performance.now()
    yield passage
  }
}

async function next(copy: FleetCopy, after: string, signal: AbortSignal): Promise<Told> {
  const near = copy.recent.after(after, atOnce)
  if (near) return near
  const found = await copy.history(after, atOnce)
  if (found) {
    const changes = entriesOf(found).flatMap(({ change }) => change ?? [])
    return { changes, last: found.at(-1)?.[0] ?? after }
  }
  // Where the copy lacks something, too, it is made anew first: what it ends with now is no end of what is in Redis.
  await copy.settled()
  const { last } = copy
  if (last === after && !signal.aborted) throw new DebloxError('redis_unavailable', 'expected another stream, got none')
  return { changes: [], last, gap: true }
}

function unlessAway(error: unknown): undefined {
  if (!(error instanceof DebloxError && error.code === 'redis_unavailable')) throw error
}
