/** Lets so many tasks run at once; the others wait, and have their turns in the order in which they came. */
export class Limit {
  private readonly waiting: (() => void)[] = []

  constructor(private free: number) {}

  /** Whether whoever comes now has to wait. */
  get isFull(): boolean {
    return this.free === 0
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    const room = this.enter()
    if (room) await room
    try {
      return await task()
    } finally {
      this.leave()
    }
  }

  /** Runs a part of a task that runs under this limit outside of it, so that others have its place meanwhile. */
  async outside<T>(part: () => Promise<T>): Promise<T> {
    this.leave()
    try {
      return await part()
    } finally {
      await this.enter()
    }
  }

  /** Nothing to wait for where there is room. */
  private enter(): Promise<void> | undefined {
    if (this.free === 0) return new Promise((resolve) => this.waiting.push(resolve))
    this.free--
    return undefined
  }

  private leave(): void {
    const next = this.waiting.shift()
    if (next) next()
    else this.free++
  }
}
