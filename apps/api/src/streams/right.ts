import { setTimeout as wait } from 'node:timers/promises'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import type { Caller } from '../route'

/** So often it is looked whether a caller still may have what he is being sent, in milliseconds. */
const everyMs = 3_000

/**
 * Aborts when a stream must end: its caller has left, the API stops, he is not known any more (his token was revoked, his login
 * has ended), or `check` throws: what he followed is not his any more. The reason is what was thrown.
 */
export function whileAllowed(
  { over, still }: Pick<Caller, 'over' | 'still'>,
  check: (identity: Identity) => Promise<unknown>,
  intervalMs = everyMs,
): AbortSignal {
  const lost = new AbortController()
  const watch = async (): Promise<void> => {
    while (!over.aborted) {
      await wait(intervalMs, undefined, { signal: over, ref: false }).catch(() => undefined)
      if (over.aborted) return
      try {
        await check(await still())
      } catch (error) {
        // Nobody can say so just now; that is no reason to end what goes on.
        if (error instanceof DebloxError && error.status >= 500) continue
        return lost.abort(error)
      }
    }
  }
  void watch()
  return AbortSignal.any([over, lost.signal])
}
