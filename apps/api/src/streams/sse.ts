import { setTimeout as wait } from 'node:timers/promises'
import { CallerLeft, type Outgoing } from './outgoing'

/** One server-sent event (HTML standard, 9.2). */
export interface ServerEvent {
  /** What a client gives as `Last-Event-ID` when it comes back. */
  id?: string
  event?: string
  /** As JSON. */
  data: unknown
}

export const sseType = 'text/event-stream'

/** Proxies must not keep back what has been said. */
export const sseHeaders = { 'Content-Type': sseType, 'X-Accel-Buffering': 'no' }

/** So often something is said where nothing happens, so that both ends see that the other is there, in milliseconds. */
const keepAliveMs = 15_000

/** A browser comes back after so long, in milliseconds. */
const retryMs = 1_000

/** For a caller who does not take them so many bytes of events are kept, and then he is left: he can resume. */
const mostBuffered = 2 ** 20

/** JSON has no line breaks of its own, so that one line holds it. */
export const formatEvent = ({ id, event, data }: ServerEvent): string =>
  [
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(event === undefined ? [] : [`event: ${event}`]),
    `data: ${JSON.stringify(data)}`,
    '\n',
  ].join('\n')

/**
 * Speaks server-sent events until the signal aborts. `listen` is called with what sends one, and gives what stops it; a caller who
 * is too slow is left. Rejects with the signal's reason where that is another failure than that the caller has left.
 */
export async function speakEvents(
  out: Outgoing,
  signal: AbortSignal,
  listen: (send: (event: ServerEvent) => void) => Promise<() => void> | (() => void),
): Promise<void> {
  const left = new AbortController()
  const over = AbortSignal.any([signal, left.signal])
  const push = (text: string): void => {
    if (over.aborted) return
    try {
      out.push(text, mostBuffered)
    } catch (error) {
      left.abort(error)
    }
  }
  push(`retry: ${retryMs}\n\n`)
  const stop = await listen((event) => push(formatEvent(event)))
  try {
    while (!over.aborted) {
      await wait(keepAliveMs, undefined, { signal: over }).catch(() => undefined)
      push(':\n\n')
    }
  } finally {
    stop()
  }
  if (signal.aborted && !(signal.reason instanceof CallerLeft)) throw signal.reason
}
