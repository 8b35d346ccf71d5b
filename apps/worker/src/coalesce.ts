/**
 * Turns a task into one that never runs twice at once. A request during a run is served by one further run that begins
 * afterwards, so whoever asks gets the result of a run that began after asking.
 */
export function coalesce(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const start = (): Promise<void> => {
    next = undefined
    running = task().finally(() => {
      running = undefined
    })
    return running
  }
  return () => {
    // Looked at first: between the end of a run and the begin of the next one nothing is running, but one will.
    if (next) return next
    if (!running) return start()
    next = running.then(start, start)
    return next
  }
}
