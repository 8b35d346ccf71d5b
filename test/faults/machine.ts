import { mkdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type CensusRow, censusOf } from '../support/dock'
import { type HowToStart, type RunningProcess, startProgram } from '../support/processes'
import type { Host } from './host'

const hook = join(__dirname, 'crash-hook.cjs')

/** One dock of the campaign: a host with its engine, and inside it the worker, started again when it ends by itself. */
export class Machine {
  /** Every worker that ever ran here, for their logs. */
  readonly workers: RunningProcess[] = []
  /** Workers that ended without anybody's doing, as a service manager would note it. */
  readonly ownEnds: string[] = []
  /** True while a fault has the worker in hand: then nobody else starts it. */
  inHand = false
  readonly #files: string

  constructor(
    readonly hostname: string,
    readonly host: Host,
    readonly env: Record<string, string>,
    readonly how: HowToStart = {},
  ) {
    this.#files = join(host.engine.folder, 'faults')
    mkdirSync(this.#files, { recursive: true })
  }

  get worker(): RunningProcess {
    const worker = this.workers.at(-1)
    if (!worker) throw new Error(`the worker of ${this.hostname} was not started`)
    return worker
  }

  /** Which crash point is armed; beside it the marker of the one that ended a worker. */
  get crashFile(): string {
    return join(this.#files, 'crash')
  }

  get clockFile(): string {
    return join(this.#files, 'clock')
  }

  get skewFile(): string {
    return join(this.#files, 'skew')
  }

  /** Starts a worker beside the engine, in the engine's network. */
  launch(further: Record<string, string> = {}): RunningProcess {
    const worker = this.start(further)
    this.workers.push(worker)
    void worker.exited.then((exit) => {
      if (this.inHand || this.worker !== worker || !this.host.exists) return
      this.ownEnds.push(`${this.hostname}: exit ${exit.code ?? exit.signal}: ${worker.tail(2)}`)
      this.launch()
    })
    return worker
  }

  /** A worker's process that nobody looks after: `launch` is for the one that acts for this dock. */
  start(further: Record<string, string> = {}): RunningProcess {
    const { engine } = this.host
    const env = {
      ...this.env,
      DOCK_HOSTNAME: this.hostname,
      DOCKER_HOST: engine.dockerHost,
      DEBLOX_STATE_DIR: join(this.#files, 'state'),
      FAULTS_CRASH_FILE: this.crashFile,
      ...further,
    }
    mkdirSync(env.DEBLOX_STATE_DIR, { recursive: true })
    const how = { namespace: engine.name, nodeArgs: ['--require', hook], ...this.how }
    return startProgram('worker', env, `worker of ${this.hostname}`, how)
  }

  /** Arms a crash point: the worker ends when it comes there for the n-th time. */
  async arm(point: string, hit: number): Promise<void> {
    await this.disarm()
    writeFileSync(this.crashFile, JSON.stringify({ point, hit }))
  }

  async disarm(): Promise<void> {
    await rm(this.crashFile, { force: true })
    await rm(`${this.crashFile}.fired`, { force: true })
  }

  census(): Promise<CensusRow[]> {
    return censusOf(this.hostname, this.host.engine)
  }

  /** Whatever was done to the worker: afterwards one runs, thawed and with no crash point. */
  async mend(): Promise<void> {
    await this.disarm()
    this.worker.resume()
    this.inHand = false
    if (!this.worker.running) this.launch()
  }
}
