import { WaitingError } from 'bullmq'

interface Held {
  giveBack: () => Promise<unknown>
  started: boolean
  stop: AbortController
  reject: (error: Error) => void
}

/**
 * Gives jobs back to their topics when the worker stops, so that none has to be found stalled. They go back to the
 * front, the last one taken first: the next worker then sees them in the order in which this one did.
 */
export class HandBack {
  private readonly held: Held[] = []

  /**
   * Runs a job that can be given back. `work` calls `started` when its turn has come, which answers whether it still
   * may start, and ends when the signal aborts.
   */
  async guard<T>(
    giveBack: () => Promise<unknown>,
    work: (started: () => boolean, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const stop = new AbortController()
    const started = (): boolean => {
      if (stop.signal.aborted) return false
      job.started = true
      return true
    }
    const job: Held = { giveBack, started: false, stop, reject: () => {} }
    const givenBack = new Promise<never>((_, reject) => {
      job.reject = reject
    })
    this.held.push(job)
    // Work that was stopped fails because of that: it is given back, which takes a moment, and has not failed.
    const unlessStopped = (error: unknown): Promise<never> => {
      if (stop.signal.aborted) return givenBack
      throw error
    }
    try {
      return await Promise.race([work(started, stop.signal).catch(unlessStopped), givenBack])
    } finally {
      const place = this.held.indexOf(job)
      if (place !== -1) this.held.splice(place, 1)
    }
  }

  /** Gives back what has not started. */
  unstarted(): Promise<void> {
    return this.release(this.held.filter(({ started }) => !started))
  }

  /** Gives back what is under way: its outcome is not known, and the next worker looks. */
  started(): Promise<void> {
    return this.release([...this.held])
  }

  private async release(jobs: Held[]): Promise<void> {
    // Marked first, all of them: otherwise one could start while another is being given back.
    for (const { stop } of jobs) stop.abort(new Error('the worker stops'))
    for (const { giveBack, reject } of jobs.toReversed()) {
      await giveBack().then(
        () => reject(new WaitingError()),
        (error: Error) => reject(error),
      )
    }
  }
}
