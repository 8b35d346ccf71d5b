import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { newToken } from '@deblox/fleet/token-text'
import { Redis } from 'ioredis'
import { Api } from './api'
import { FakeDaemon } from './fake-daemon'
import { freePort } from './free-port'
import { type Reply, send } from './http'
import { type RunningProcess, startProgram } from './processes'
import { type RedisServer, startRedis } from './redis'
import { runFolder } from './run-folder'

/** The programs with identities, on a Redis of their own, beside a daemon that is a stand-in: for what is decided before it. */
export class GuardedFleet {
  readonly processes: RunningProcess[] = []
  readonly admin = newToken().token
  readonly apis: Api[] = []

  private constructor(
    readonly prefix: string,
    readonly server: RedisServer,
    readonly redis: Redis,
    readonly daemon: FakeDaemon,
    readonly state: string,
  ) {}

  static async start(prefix: string, replicas = 1): Promise<GuardedFleet> {
    const [server, daemon] = await Promise.all([startRedis(), FakeDaemon.start()])
    const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 100 })
    redis.on('error', () => undefined)
    const state = await mkdtemp(join(runFolder(), 'state-'))
    const fleet = new GuardedFleet(prefix, server, redis, daemon, state)
    for (let n = 0; n < replicas; n++) await fleet.startApi()
    return fleet
  }

  /** The environment of every program of the fleet. */
  get env(): Record<string, string> {
    return {
      REDIS_URL: this.server.url,
      DEBLOX_PREFIX: this.prefix,
      DEBLOX_STATE_DIR: this.state,
      DEBLOX_ADMIN_TOKEN: this.admin,
      HOST: '127.0.0.1',
      // A test asks more often than people.
      DEBLOX_RATE_PER_IDENTITY: '0',
      DEBLOX_RATE_PER_ADDRESS: '0',
    }
  }

  async startApi(env: Record<string, string> = {}): Promise<Api> {
    const api = new Api(`api ${this.apis.length + 1}`, await freePort(), { ...this.env, ...env })
    this.apis.push(api)
    this.processes.push(api.process)
    await api.ready()
    return api
  }

  async startWorker(hostname: string): Promise<RunningProcess> {
    const own = { DOCK_HOSTNAME: hostname, DOCKER_HOST: this.daemon.dockerHost }
    const worker = startProgram('worker', { ...this.env, ...own }, `worker of ${hostname}`)
    this.processes.push(worker)
    await worker.waitForLine(/acts for this dock/, { within: 20_000 })
    return worker
  }

  get api(): Api {
    const [api] = this.apis
    if (!api) throw new Error('this fleet has no API')
    return api
  }

  /** As the admin, unless headers say otherwise. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    api = this.api,
  ): Promise<Reply> {
    return send(`${api.url}${path}`, method, body, { authorization: `Bearer ${this.admin}`, ...headers })
  }

  /** The header of somebody of that role. */
  async somebody(subject: string, role: string): Promise<{ authorization: string }> {
    const { body } = await this.ask('POST', '/v1/tokens', { subject, role })
    return { authorization: `Bearer ${body.token}` }
  }

  async stop(): Promise<void> {
    const stopped = await Promise.allSettled(this.processes.map((process) => process.stop()))
    this.redis.disconnect()
    await Promise.all([this.daemon.stop(), this.server.remove(), rm(this.state, { recursive: true })])
    for (const end of stopped) if (end.status === 'rejected') throw end.reason
  }
}
