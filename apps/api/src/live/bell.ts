/** Wakes all who wait for something to happen. */
export class Bell {
  private readonly waiting = new Set<() => void>()

  ring(): void {
    const woken = [...this.waiting]
    this.waiting.clear()
    for (const wake of woken) wake()
  }

  /** Resolves at the next ring, or after so many milliseconds, or when the signal aborts. */
  async next(withinMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        this.waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, withinMs)
      timer.unref()
      signal?.addEventListener('abort', wake)
      this.waiting.add(wake)
    })
  }
}
