/** A call to the daemon that did not end in time: whether it took effect is not known. */
export class DeadlineError extends Error {
  constructor(readonly ms: number) {
    super(`expected an answer within ${ms / 1000} s, got none`)
    this.name = 'DeadlineError'
  }
}

/**
 * Runs a task with a signal that aborts after `ms` or with `outer`. The race is needed beside the signal: a response
 * that is cut short leaves docker-modem's promise pending for ever, aborted or not.
 */
export async function withDeadline<T>(
  ms: number,
  outer: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted()
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(new DeadlineError(ms)), ms)
  const follow = () => over.abort(outer.reason)
  outer.addEventListener('abort', follow, { once: true })
  try {
    return await Promise.race([
      task(over.signal),
      new Promise<never>((_, reject) =>
        over.signal.addEventListener('abort', () => reject(over.signal.reason as Error), { once: true }),
      ),
    ])
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', follow)
  }
}
