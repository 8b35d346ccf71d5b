import { setTimeout as wait } from 'node:timers/promises'
import { isRefusal } from '@deblox/fleet/redis'

/** Between two tries, doubled each time, in milliseconds. */
const pause = { first: 50, longest: 2_000 }

/**
 * Asks something of Redis, and again for as long as that is full or cannot serve for another reason: it passes, and is no
 * failure of the job. `mayGoOn` is called before each further try, and throws where there is to be none. Rejects with the
 * signal's reason, with what `mayGoOn` throws, or with what is no refusal of Redis's.
 */
export async function untilServed<T>(ask: () => Promise<T>, signal: AbortSignal, mayGoOn = () => {}): Promise<T> {
  for (let pauseMs = pause.first; ; pauseMs = Math.min(2 * pauseMs, pause.longest)) {
    try {
      return await ask()
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
    signal.throwIfAborted()
    mayGoOn()
    // The timer's own words for it would hide why.
    await wait(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
