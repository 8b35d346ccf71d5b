import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './free-port'
import { RunningProcess, type Exit } from './processes'
import { removeEmptyRunFolder, runFolder } from './run-folder'

const SETTINGS = '--appendonly yes --appendfsync always --maxmemory 1gb --maxmemory-policy noeviction'
  .split(' ')
  .concat('--save', '')

/** A real redis-server of its own, set as Deblox asks for: every write on the disk before it is answered, nothing evicted. */
export class RedisServer {
  readonly port: number
  readonly folder: string
  /** Where it listens; other machines' namespaces reach it only where it is told to. */
  readonly addresses: readonly string[]
  #process: RunningProcess | undefined

  constructor(port: number, folder: string, addresses: readonly string[] = ['127.0.0.1']) {
    this.port = port
    this.folder = folder
    this.addresses = addresses
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.process.pid
  }

  get process(): RunningProcess {
    if (!this.#process) throw new Error('this Redis was not started')
    return this.#process
  }

  /** Starts it, also again after stop() or kill(): on the same port, with the data that its folder holds. */
  async start(): Promise<void> {
    this.#process = new RunningProcess({
      name: `redis-server ${this.port}`,
      command: 'redis-server',
      cwd: this.folder,
      args: ['--bind', ...this.addresses, '--port', String(this.port), '--dir', this.folder, ...this.#settings()],
    })
    await this.#process.waitForLine(/Ready to accept connections/)
  }

  stop(): Promise<Exit> {
    return this.process.stop()
  }

  kill(): Promise<Exit> {
    return this.process.kill()
  }

  async pause(): Promise<void> {
    await this.process.pause()
  }

  resume(): void {
    this.process.resume()
  }

  /** Kills it and removes its data. */
  async remove(): Promise<void> {
    await this.#process?.kill()
    await rm(this.folder, { recursive: true, force: true })
    await removeEmptyRunFolder()
  }

  #settings(): string[] {
    // Where it listens for others than this machine, it would refuse them without a password.
    return this.addresses.length > 1 ? [...SETTINGS, '--protected-mode', 'no'] : SETTINGS
  }
}

/** Starts a redis-server on a free port with an empty folder. */
export async function startRedis(): Promise<RedisServer> {
  const redis = new RedisServer(await freePort(), await mkdtemp(join(runFolder(), 'redis-')))
  await redis.start()
  return redis
}
