import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { Api } from '../support/api'
import { eventually } from '../support/eventually'
import { freePort } from '../support/free-port'
import type { HowToStart, RunningProcess } from '../support/processes'
import { RedisServer } from '../support/redis'
import { runFolder } from '../support/run-folder'
import { ask, itemsOf } from './ask'
import { Host } from './host'
import { Machine } from './machine'
import { Proxy } from './proxy'

const run = promisify(execFile)

const docks = 3
const prefix = 'faults'

/** Small enough to be filled in a moment, large enough for an hour of AOF. */
const redisDisk = '512m'

/**
 * What faults are done to: a redis-server, three machines with an engine and a worker each, and two API replicas. The
 * last dock and the last replica reach Redis through a proxy that can lose replies, the others directly.
 */
export class Site {
  readonly prefix = prefix
  readonly machines: Machine[] = []
  readonly apis: Api[] = []
  /** In front of Redis, by the name of who uses it. */
  readonly proxies = new Map<string, Proxy>()
  /** Replicas that a fault has in hand: nobody else starts these. */
  readonly inHand = new Set<string>()
  /** Replicas that ended without anybody's doing. */
  readonly ownEnds: string[] = []
  /** Every API process that ever ran, for their logs. */
  readonly apiProcesses: RunningProcess[] = []
  /** The campaign's own line to Redis, past Deblox. */
  readonly redisClient: Redis

  private constructor(readonly redis: RedisServer) {
    this.redisClient = new Redis(redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 100 })
    // It sees every outage that the campaign makes.
    this.redisClient.on('error', () => undefined)
  }

  /** Starts everything. `worker` tells how, where it is not Deblox's own. */
  static async start(worker: HowToStart = {}): Promise<Site> {
    const hosts = await Promise.all(Array.from({ length: docks }, (_, n) => Host.make(n + 1)))
    const folder = join(runFolder(), 'redis-faults')
    await mkdir(folder)
    // Before the hosts start: their copies of it go when it is unmounted here.
    await run('mount', ['-t', 'tmpfs', '-o', `size=${redisDisk}`, 'tmpfs', folder])
    await Promise.all(hosts.map((host) => host.start()))
    const redis = new RedisServer(await freePort(), folder, ['127.0.0.1', ...hosts.map(({ gateway }) => gateway)])
    await redis.start()
    const site = new Site(redis)
    await site.#startPrograms(hosts, worker)
    return site
  }

  machine(hostname: string): Machine {
    const machine = this.machines.find((machine) => machine.hostname === hostname)
    if (!machine) throw new Error(`expected a dock of the campaign, got ${hostname}`)
    return machine
  }

  api(name: string): Api {
    const api = this.apis.find((api) => api.name === name)
    if (!api) throw new Error(`expected an API of the campaign, got ${name}`)
    return api
  }

  /** Starts a replica, and again whenever it ends by itself, as a service manager does. */
  launchApi(api: Api): void {
    this.inHand.delete(api.name)
    this.#watch(api, api.launch())
  }

  /** However a replica stands: afterwards it runs, thawed and looked after. */
  mendApi(api: Api): void {
    this.inHand.delete(api.name)
    api.process.resume()
    if (!api.process.running) this.launchApi(api)
  }

  #watch(api: Api, process: RunningProcess): void {
    this.apiProcesses.push(process)
    void process.exited.then((exit) => {
      const isOver = !this.machines.every(({ host }) => host.exists)
      if (this.inHand.has(api.name) || api.process !== process || isOver) return
      this.ownEnds.push(`${api.name}: exit ${exit.code ?? exit.signal}: ${process.tail(2)}`)
      this.launchApi(api)
    })
  }

  /** Waits until both replicas call all docks ready. */
  async ready(within: number): Promise<void> {
    const hostnames = this.machines.map(({ hostname }) => hostname)
    const look = async () =>
      Promise.all(
        this.apis.map(async (api) => {
          const answer = await ask(api, { method: 'GET', path: '/v1/docks', within: 2_000 })
          const items = itemsOf<{ hostname: string; state: string }>(answer)
          return items.map(({ hostname, state }) => `${hostname} ${state}`).sort()
        }),
      )
    const expected = String(hostnames.map((hostname) => `${hostname} ready`))
    const all = (seen: string[][]) => seen.every((items) => String(items) === expected)
    await eventually(look, all, { within, every: 100, what: 'all docks are ready' })
  }

  /** Ends all and removes what was made. Safe to call on what is half broken. */
  async stop(): Promise<void> {
    this.redisClient.disconnect()
    for (const machine of this.machines) machine.inHand = true
    for (const { name } of this.apis) this.inHand.add(name)
    await Promise.all([
      ...this.machines.map(({ worker }) => worker.kill()),
      ...this.apis.map((api) => api.process.kill()),
    ])
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.close()))
    await this.redis.process.kill()
    await Promise.all(this.machines.map(({ host }) => host.remove()))
    await run('umount', ['--lazy', this.redis.folder])
    await this.redis.remove()
  }

  async #startPrograms(hosts: Host[], worker: HowToStart): Promise<void> {
    const env = { DEBLOX_PREFIX: prefix, HOST: '127.0.0.1', AUTH: 'off' }
    const ports = [await freePort(), await freePort()]
    for (const [n, port] of ports.entries()) {
      const name = `api${n + 1}`
      const url = n + 1 === ports.length ? await this.#proxyFor(name, '127.0.0.1') : this.redis.url
      const api = new Api(name, port, { ...env, REDIS_URL: url })
      this.apis.push(api)
      this.#watch(api, api.process)
    }
    for (const [n, host] of hosts.entries()) {
      const hostname = `dock${n + 1}`
      const direct = `redis://${host.gateway}:${this.redis.port}`
      const url = n + 1 === hosts.length ? await this.#proxyFor(hostname, host.gateway) : direct
      const machine = new Machine(hostname, host, { ...env, REDIS_URL: url }, worker)
      machine.launch()
      this.machines.push(machine)
    }
    await Promise.all(this.apis.map((api) => api.ready()))
    // Only Deblox's own workers tell of themselves.
    if (worker.main === undefined) await this.ready(30_000)
  }

  async #proxyFor(name: string, host: string): Promise<string> {
    const proxy = new Proxy(host, await freePort(), this.redis.port)
    await proxy.listen()
    this.proxies.set(name, proxy)
    return proxy.url
  }
}
