import { randomBytes } from 'node:crypto'
import { newToken } from '@deblox/fleet/token-text'
import { Redis } from 'ioredis'
import { Api } from './api'
import { Dock, type CensusRow } from './dock'
import type { Engine } from './engines'
import { eventually } from './eventually'
import { freePort } from './free-port'
import { send, type Reply } from './http'
import { sharedEngines, sharedRedisUrl } from './shared'

export interface FleetOptions {
  /** How many docks, on the run's shared engines, named dock1, dock2 …; 3 unless told. */
  docks?: number
  /** How many API replicas; 1 unless told. */
  apis?: number
  /** A name of its own for each fleet unless told. */
  prefix?: string
  /** A Redis of the test's own, where it wants to stop or kill one. */
  redisUrl?: string
  /** Engines of the test's own. */
  engines?: Engine[]
  /** Further environment of every API and worker. */
  env?: Record<string, string>
  /** Identities are asked for: whoever says nothing else asks as the admin of the environment's token. */
  auth?: true
}

/** A test that polls forty jobs at once comes from one address, as one identity. Tests of the limits set their own. */
const unlimited = { DEBLOX_RATE_PER_ADDRESS: '0', DEBLOX_RATE_PER_IDENTITY: '0' }

/** Fleets of this process that are up, to know whose keys are whose. */
const prefixes = new Set<string>()

export class Fleet {
  readonly redis: Redis

  constructor(
    readonly prefix: string,
    readonly redisUrl: string,
    readonly apis: Api[],
    readonly docks: Dock[],
    /** What a request carries that has no such headers of its own. */
    readonly headers: Record<string, string> = {},
  ) {
    this.redis = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 100 })
    // Tests that kill their Redis would else see this client's complaints as their own.
    this.redis.on('error', () => undefined)
  }

  /** The first API replica, for tests to which it does not matter. */
  get api(): Api {
    return this.apiNumber(1)
  }

  apiNumber(number: number): Api {
    return found(this.apis[number - 1], `API replica ${number}`)
  }

  dock(hostname: string): Dock {
    return found(
      this.docks.find((dock) => dock.hostname === hostname),
      hostname,
    )
  }

  /** One request to an API replica; an object as body goes as JSON, a string as it is. */
  request(api: Api, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply> {
    return send(`${api.url}${path}`, method, body, { ...this.headers, ...headers })
  }

  /** Sends a document of 2014 as curl does: with a form's content type. */
  post(document: unknown, api = this.api): Promise<Reply> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', ...this.headers }
    return send(api.url, 'POST', typeof document === 'string' ? document : JSON.stringify(document), headers)
  }

  /** Every container on every dock, asked of the engines themselves. */
  async census(): Promise<CensusRow[]> {
    return (await Promise.all(this.docks.map((dock) => dock.census()))).flat()
  }

  /** Waits until the API says of exactly these docks that they are ready; of all docks unless told. */
  async docksReady(hostnames = this.docks.map((dock) => dock.hostname)): Promise<void> {
    const processes = [this.api.process, ...hostnames.map((hostname) => this.dock(hostname).worker)]
    const look = async (): Promise<string> => {
      for (const process of processes) process.assertRunning()
      const { body } = await this.request(this.api, 'GET', '/v1/docks')
      const items = body.items as { hostname: string; state: string }[]
      return String(items.flatMap(({ hostname, state }) => (state === 'ready' ? hostname : [])).sort())
    }
    const expected = String([...hostnames].sort())
    await eventually(look, (ready) => ready === expected, { within: 20_000, what: `docks ready: ${expected}` })
  }

  /**
   * Stops the processes, removes all containers and the fleet's keys.
   * @throws {Error} when a process does not end when asked to, or a key outside the prefix is left
   */
  async stop(): Promise<void> {
    const processes = [...this.docks.map((dock) => dock.worker), ...this.apis.map((api) => api.process)]
    const stopped = await Promise.allSettled(processes.map((process) => process.stop()))
    const reset = await Promise.allSettled(this.docks.map((dock) => dock.engine.reset()))
    const keys = await Promise.allSettled([this.#removeKeys()])
    const problems = [...stopped, ...reset, ...keys].flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
    if (problems.length > 0) throw new AggregateError(problems, `the fleet left a mess:\n${problems.join('\n')}`)
  }

  async #removeKeys(): Promise<void> {
    prefixes.delete(this.prefix)
    try {
      const keys = await this.redis.keys('*')
      const own = keys.filter((key) => belongsTo(key, this.prefix))
      if (own.length > 0) await this.redis.unlink(own)
      const stray = keys.filter((key) => !own.includes(key) && ![...prefixes].some((prefix) => belongsTo(key, prefix)))
      if (stray.length > 0) throw new Error(`keys outside the prefix ${this.prefix}: ${stray.join(', ')}`)
    } finally {
      this.redis.disconnect()
    }
  }
}

/** Starts API replicas and workers as users do, each a process, and waits until all docks are ready. */
export async function startFleet({
  docks = 3,
  apis = 1,
  prefix = `test-${randomBytes(4).toString('hex')}`,
  redisUrl = sharedRedisUrl(),
  engines = sharedEngines(),
  env: further = {},
  auth,
}: FleetOptions = {}): Promise<Fleet> {
  if (docks > engines.length) throw new Error(`${docks} docks asked for, and there are ${engines.length} engines`)
  const { token } = newToken()
  const identities: Record<string, string> = auth
    ? { AUTH: 'on', DEBLOX_ADMIN_TOKEN: token, ...unlimited }
    : { AUTH: 'off' }
  const env = { REDIS_URL: redisUrl, DEBLOX_PREFIX: prefix, HOST: '127.0.0.1', ...identities, ...further }
  prefixes.add(prefix)
  const ports = await Promise.all(Array.from({ length: apis }, freePort))
  const fleet = new Fleet(
    prefix,
    redisUrl,
    ports.map((port, index) => new Api(`api ${index + 1}`, port, env)),
    engines.slice(0, docks).map((engine, index) => new Dock(`dock${index + 1}`, engine, env)),
    auth && bearer(token),
  )
  try {
    await Promise.all(fleet.apis.map((api) => api.ready()))
    if (docks > 0) await fleet.docksReady()
    return fleet
  } catch (error) {
    await fleet.stop().catch(() => undefined)
    throw error
  }
}

/** The header by which somebody is known. */
export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

function belongsTo(key: string, prefix: string): boolean {
  return key.startsWith(`${prefix}:`) || key.startsWith(`{${prefix}}`)
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`this fleet has no ${name}`)
  return value
}
