/** Runs what has the same key one at a time, in the order asked for, and everything else in parallel. */
export class Chains {
  private readonly tails = new Map<string, Promise<unknown>>()

  /** Whether whoever comes now has to wait. */
  isBusy(key: string): boolean {
    return this.tails.has(key)
  }

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.tails.get(key) ?? Promise.resolve()
    const result = before.then(task)
    const tail = result.catch(() => undefined)
    this.tails.set(key, tail)
    try {
      return await result
    } finally {
      if (this.tails.get(key) === tail) this.tails.delete(key)
    }
  }
}
