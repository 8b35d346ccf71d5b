import { setTimeout as pause } from 'node:timers/promises'

/** Waits so many milliseconds, or until the signal aborts. */
export const waitFor = (ms: number, signal: AbortSignal): Promise<void> =>
  pause(ms, undefined, { signal, ref: false }).catch(() => undefined)

/** Does something again and again, so long after it was done, until the signal aborts. */
export async function repeatedly(
  everyMs: number,
  signal: AbortSignal,
  act: () => Promise<void>,
  onError: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    await waitFor(everyMs, signal)
    if (signal.aborted) return
    await act().catch(onError)
  }
}
