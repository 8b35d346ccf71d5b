import { execFile, spawn } from 'node:child_process'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import Docker from 'dockerode'
import { eventually } from './eventually'
import { freeze } from './freeze'
import { RunningProcess } from './processes'
import { repository } from './repository'
import { cleanEngine, isRunning, mark, removeEmptyRunFolder, runFolder } from './run-folder'

const run = promisify(execFile)

/** A real Docker engine in its own network namespace. Everything it knows is in its folder: any process can hold one. */
export class Engine {
  /** Its network namespace and its own hostname. */
  readonly name: string
  readonly folder: string
  readonly socket: string
  /** A direct line to its daemon, past Deblox. */
  readonly docker: Docker

  constructor(folder: string) {
    this.folder = folder
    this.name = `${basename(runFolder())}-${basename(folder)}`
    this.socket = join(folder, 'docker.sock')
    this.docker = new Docker({ socketPath: this.socket })
  }

  /** What a worker beside it is given as DOCKER_HOST. */
  get dockerHost(): string {
    return `unix://${this.socket}`
  }

  /** The process id of its dockerd. */
  async pid(): Promise<number> {
    return Number(await readFile(join(this.folder, 'docker.pid'), 'utf8'))
  }

  async running(): Promise<boolean> {
    return this.pid().then(isRunning, () => false)
  }

  /** Starts it, also again after stop() or kill(): with the containers and images that its folder holds. */
  async start(): Promise<void> {
    const log = await open(join(this.folder, 'log'), 'a')
    // A mirror inside its namespace, where nothing listens until startRegistry(): a pull fails at once, or finds what a test pushed.
    const args = ['run', this.name, this.folder, '--registry-mirror', 'http://127.0.0.1:5000']
    const child = spawn(join(repository, 'script/engine'), args, {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, ...mark() },
      detached: true,
    })
    await log.close()
    // It outlives this process when that is one of jest's workers, and must not keep it alive.
    child.unref()
    await eventually(() => child.exitCode !== null || answers(this.socket), undefined, {
      within: 60_000,
      what: `${this.name} answers`,
    })
    if (child.exitCode !== null) throw new Error(`${this.name} did not start:\n${await this.logTail()}`)
  }

  /** SIGTERM, as a service manager would: its containers stop too. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** kill -9 of its dockerd: its containers run on until it is started again, which finds them stopped. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Freezes dockerd: connections are accepted by the kernel and nobody answers. */
  async pause(): Promise<void> {
    await freeze(await this.pid())
  }

  async resume(): Promise<void> {
    process.kill(await this.pid(), 'SIGCONT')
  }

  /** Brings it back to what a test expects to find: answering, without containers, with busybox. */
  async reset(): Promise<void> {
    if (!(await this.running())) await this.start()
    await this.resume()
    const containers = await this.docker.listContainers({ all: true })
    await Promise.all(containers.map(({ Id }) => this.docker.getContainer(Id).remove({ force: true, v: true })))
    await this.loadBusybox()
  }

  /** Makes sure that it has busybox:latest, under further tags as well where asked for. */
  async loadBusybox(...tags: string[]): Promise<void> {
    await run(join(repository, 'script/busybox-image'), [this.socket, ...tags])
  }

  /** A process in its network namespace, where 127.0.0.1 is this engine's own. */
  startInside(command: string, args: string[], env: Record<string, string> = {}): RunningProcess {
    const namespace = ['--net=/run/netns/' + this.name, command, ...args]
    return new RunningProcess({ name: `${command} in ${this.name}`, command: 'nsenter', args: namespace, env })
  }

  async logTail(count = 20): Promise<string> {
    const log = await readFile(join(this.folder, 'log'), 'utf8').catch(() => '')
    return log.trimEnd().split('\n').slice(-count).join('\n')
  }

  /** Kills it with all its containers and removes its folder. */
  async remove(): Promise<void> {
    await cleanEngine(this.name, this.folder)
    await rm(this.folder, { recursive: true, force: true })
    await removeEmptyRunFolder()
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const pid = await this.pid()
    process.kill(pid, 'SIGCONT')
    process.kill(pid, signal)
    await eventually(async () => !(await isRunning(pid)), undefined, { within: 20_000, what: `${this.name} ends` })
  }
}

/** Starts engines side by side, each with busybox:latest. */
export async function startEngines(count: number): Promise<Engine[]> {
  const engines = await Promise.all(Array.from({ length: count }, newEngine))
  await Promise.all(
    engines.map(async (engine) => {
      await engine.start()
      await engine.loadBusybox()
    }),
  )
  return engines
}

/** An engine with a folder and a name of its own, not started. */
export async function newEngine(): Promise<Engine> {
  for (let number = 1; ; number++) {
    const folder = join(runFolder(), String(number))
    // Whoever makes the folder has the number.
    const made = await mkdir(folder).then(
      () => true,
      () => false,
    )
    if (made) return new Engine(folder)
  }
}

/** Whether a daemon answers a ping at its socket. */
export function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: '/_ping', timeout: 1000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    ping.on('timeout', () => ping.destroy())
    ping.on('error', () => resolve(false))
    ping.end()
  })
}
