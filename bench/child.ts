import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { mark } from '../test/support/run-folder'

/** A program of this folder as a process of its own, which answers each message with one. */
export class Child {
  private readonly process: ChildProcess

  constructor(
    private readonly name: string,
    args: string[],
  ) {
    this.process = fork(join(__dirname, `${name}.ts`), args, { env: { ...process.env, ...mark() } })
  }

  get pid(): number {
    return this.process.pid as number
  }

  /** What it tells next; with a question, what it answers. */
  async told<T>(question?: object): Promise<T> {
    const over = new AbortController()
    const { signal } = over
    const ended = once(this.process, 'exit', { signal }).then(() => {
      throw new Error(`expected ${this.name} to answer, but it ended`)
    })
    ended.catch(() => undefined)
    const answer = once(this.process, 'message', { signal })
    if (question) this.process.send(question)
    try {
      return ((await Promise.race([answer, ended])) as [T])[0]
    } finally {
      over.abort()
    }
  }

  async stop(): Promise<void> {
    const exited = once(this.process, 'exit')
    this.process.disconnect()
    await exited
  }
}
