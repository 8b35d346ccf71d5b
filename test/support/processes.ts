import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { Hopeless } from './eventually'
import { freeze } from './freeze'
import { repository } from './repository'
import { mark, stateFolder } from './run-folder'

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface ProcessOptions {
  name: string
  command: string
  args?: string[]
  cwd?: string
  /** All of its environment, but for PATH and HOME: what the person who runs the tests has set must not matter. */
  env?: Record<string, string>
}

/** A child process in its own session, so that a Ctrl-C meant for the test runner does not reach it. */
export class RunningProcess {
  readonly name: string
  /** What it has written to standard output and standard error, line by line. */
  readonly lines: string[] = []
  readonly exited: Promise<Exit>
  exit: Exit | undefined
  readonly #child: ChildProcess
  readonly #news = new EventEmitter().setMaxListeners(0)

  constructor({ name, command, args = [], cwd = repository, env = {} }: ProcessOptions) {
    this.name = name
    const { PATH = '', HOME = '' } = process.env
    this.#child = spawn(command, args, {
      cwd,
      env: { PATH, HOME, ...mark(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#note(line))
    }
    this.exited = this.#ended()
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error(`${this.name} could not be started`)
    return pid
  }

  get running(): boolean {
    return this.exit === undefined
  }

  /**
   * The first line that matches, also one written before; `from` skips lines already dealt with.
   * @throws {Error} when the process ends without such a line, or at the deadline
   */
  async waitForLine(pattern: RegExp, { within = 10_000, from = 0 } = {}): Promise<string> {
    const deadline = AbortSignal.timeout(within)
    for (let next = from; ; next++) {
      while (next >= this.lines.length) {
        if (!this.running) throw new Error(this.#told(`ended before it wrote ${pattern}`))
        if (deadline.aborted) throw new Error(this.#told(`did not write ${pattern} within ${within} ms`))
        await once(this.#news, 'news', { signal: deadline }).catch(() => undefined)
      }
      const line = this.lines[next]
      if (line !== undefined && pattern.test(line)) return line
    }
  }

  /**
   * Asks it to end, as a service manager would: SIGTERM.
   * @throws {Error} when it has to be killed because it did not end in time
   */
  async stop(within = 10_000): Promise<Exit> {
    this.resume()
    this.signal('SIGTERM')
    const kill = AbortSignal.timeout(within)
    kill.addEventListener('abort', () => this.signal('SIGKILL'))
    const exit = await this.exited
    if (exit.signal === 'SIGKILL' && kill.aborted) throw new Error(this.#told(`did not end within ${within} ms`))
    return exit
  }

  /** kill -9 */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.exited
  }

  /** Freezes it, as a machine does that swaps or a virtual one that is being moved. */
  async pause(): Promise<void> {
    await freeze(this.pid)
  }

  resume(): void {
    this.signal('SIGCONT')
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal)
  }

  /** The last lines that it wrote, for the message of a failure. */
  tail(count = 20): string {
    return this.lines.slice(-count).join('\n')
  }

  /** For what waits for something that only a living process can bring about. */
  assertRunning(): void {
    if (!this.running) throw new Hopeless(this.#told('has ended'))
  }

  #note(line: string): void {
    this.lines.push(line)
    this.#news.emit('news')
  }

  async #ended(): Promise<Exit> {
    try {
      // "close" and not "exit": its last lines have been read by then.
      const [code, signal] = (await once(this.#child, 'close')) as [number | null, NodeJS.Signals | null]
      this.exit = { code, signal }
    } catch (error) {
      this.lines.push(String(error))
      this.exit = { code: null, signal: null }
    }
    this.#news.emit('news')
    return this.exit
  }

  #told(what: string): string {
    const how = this.exit && ` (exit code ${this.exit.code}, signal ${this.exit.signal})`
    return `${this.name} ${what}${how ?? ''}; its last lines:\n${this.tail()}`
  }
}

export interface HowToStart {
  /** The network namespace in which it runs; that of the tests unless told. */
  namespace?: string
  /** Further arguments of node, before the program. */
  nodeArgs?: string[]
  /** Another file instead of the program's own. */
  main?: string
}

/** One of the programs, started as users start it, from what the build made. */
export function startProgram(
  program: 'api' | 'worker',
  env: Record<string, string>,
  name: string = program,
  { namespace, nodeArgs = [], main = join('apps', program, 'dist', 'main.js') }: HowToStart = {},
): RunningProcess {
  const node = [process.execPath, ...nodeArgs, main]
  const [command = '', ...args] = namespace ? ['nsenter', `--net=/run/netns/${namespace}`, ...node] : node
  return new RunningProcess({ name, command, args, env: { DEBLOX_STATE_DIR: stateFolder(), ...env } })
}
