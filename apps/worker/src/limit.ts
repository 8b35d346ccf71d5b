/** Lets so many tasks run at once; the others wait, and have their turns in the order in which they came. */
export class Limit {
  private readonly waiting: (() => void)[] = []

  constructor(private free: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.waiting.shift()
      if (next) next()
      else this.free++
    }
  }
}
