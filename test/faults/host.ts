import { execFile } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { answers, type Engine, newEngine } from '../support/engines'
import { eventually } from '../support/eventually'
import { RunningProcess } from '../support/processes'
import { repository } from '../support/repository'

const run = promisify(execFile)

/** A machine of its own for an engine: namespaces joined with ours by a veth pair, and each daemon killable by itself. */
export class Host {
  containerd: RunningProcess | undefined
  dockerd: RunningProcess | undefined
  #host: RunningProcess | undefined

  private constructor(
    readonly engine: Engine,
    /** The machine's own address, and ours as it is seen from there. */
    readonly address: string,
    readonly gateway: string,
  ) {}

  static async make(number: number): Promise<Host> {
    const engine = await newEngine()
    const subnet = await freeSubnet(number)
    return new Host(engine, `${subnet}.${4 * number + 2}`, `${subnet}.${4 * number + 1}`)
  }

  async start(): Promise<void> {
    const { name } = this.engine
    // At most 15 characters, and ours alone on this machine: the engine's name has our process id in it.
    const link = name.replace('deblox-', 'dbx')
    this.#host = this.#run('host', link, this.address)
    const looks = async () => run('nsenter', [`--net=/run/netns/${name}`, 'ip', 'route', 'get', this.gateway])
    await eventually(looks, undefined, { what: `${name} has a way out` })
    await eventually(() => statSync(this.#pidFile).size > 0, undefined, { what: `${name} is up` })
    await this.startContainerd()
    await this.startDockerd()
    await this.engine.loadBusybox()
  }

  async startContainerd(): Promise<void> {
    this.containerd = this.#run('containerd')
    await this.containerd.waitForLine(/successfully booted/, { within: 20_000 })
  }

  async startDockerd(): Promise<void> {
    const dockerd = this.#run('dockerd')
    this.dockerd = dockerd
    const look = () => {
      dockerd.assertRunning()
      return answers(this.engine.socket)
    }
    await eventually(look, undefined, { within: 60_000, what: `${this.engine.name} answers` })
  }

  /** However its daemons stand: afterwards they run, thawed. */
  async mend(): Promise<void> {
    this.containerd?.resume()
    this.dockerd?.resume()
    if (!this.containerd?.running) await this.startContainerd()
    if (!this.dockerd?.running) await this.startDockerd()
  }

  /** Whether it is there: its cleaning begins with taking this away. */
  get exists(): boolean {
    return existsSync(this.#pidFile)
  }

  /** A command in its network namespace. */
  async inside(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await run('nsenter', [`--net=/run/netns/${this.engine.name}`, command, ...args])
    return stdout
  }

  async remove(): Promise<void> {
    await this.engine.remove()
    await this.#host?.exited
  }

  get #pidFile(): string {
    return join(this.engine.folder, 'host.pid')
  }

  #run(part: string, ...args: string[]): RunningProcess {
    const { name, folder } = this.engine
    const command = join(repository, 'script/engine')
    return new RunningProcess({ name: `${part} of ${name}`, command, args: [part, name, folder, ...args] })
  }
}

/** The first three numbers of a /24 below 10.213 that nobody here uses, other campaigns of this moment included. */
async function freeSubnet(number: number): Promise<string> {
  const { stdout } = await run('ip', ['route'])
  for (let tried = 0; tried < 256; tried++) {
    const subnet = `10.213.${(process.pid + tried) % 256}`
    if (!stdout.includes(`${subnet}.${4 * number}/`)) return subnet
  }
  throw new Error('expected a free subnet in 10.213.0.0/16, got none')
}
