import { createHash } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import { Cluster, Redis, type RedisOptions, ReplyError } from 'ioredis'

export type RedisClient = Redis | Cluster

/**
 * `fail-fast` for a process that answers people: a command on a lost connection fails at once, one without an answer
 * after 800 ms. `patient` for workers and blocking readers: a command waits until Redis is back.
 */
export type Temper = 'fail-fast' | 'patient'

// The default back-off grows until Redis's return goes unseen for 17 s; capped at 500 ms it is 0.5 s (docs/performance.md).
// The lower half of each pause is left to chance: a thousand workers lose their Redis at the same moment.
export const retryStrategy = (attempt: number): number =>
  Math.round(Math.min(50 * attempt, 500) * (1 - Math.random() / 2))

const tempers: Record<Temper, RedisOptions> = {
  'fail-fast': {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 800,
    connectTimeout: 800,
    retryStrategy,
  },
  patient: { maxRetriesPerRequest: null, retryStrategy },
}

const redisSchemes = ['redis', 'rediss', 'redis-sentinel', 'rediss-sentinel', 'redis-cluster', 'rediss-cluster']

/**
 * Opens a client for `redis[s]://host:port/db`, `redis[s]-sentinel://h1:p1,h2:p2/master-name` or
 * `redis[s]-cluster://h1:p1,h2:p2`; user and password before the hosts belong to Redis itself.
 */
export function connectRedis(url: string, temper: Temper): RedisClient {
  const { kind, tls, username, password, nodes, path } = parseRedisUrl(url)
  const options: RedisOptions = { ...tempers[temper], username, password, ...(tls ? { tls: {} } : {}) }
  const client = {
    single: () => new Redis({ ...options, host: nodes[0]?.host, port: nodes[0]?.port, db: Number(path || 0) }),
    sentinel: () =>
      new Redis({
        ...options,
        sentinels: nodes,
        name: path,
        sentinelRetryStrategy: retryStrategy,
        // Without these two ioredis talks plain text to the sentinels and to the master, whatever `tls` says.
        ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
      }),
    cluster: () =>
      new Cluster(nodes, {
        redisOptions: options,
        clusterRetryStrategy: retryStrategy,
        enableOfflineQueue: options.enableOfflineQueue ?? true,
      }),
  }[kind]()
  // One client serves a queue per dock, and each queue listens on it.
  client.setMaxListeners(0)
  return client
}

interface RedisAddress {
  kind: 'single' | 'sentinel' | 'cluster'
  tls: boolean
  username?: string
  password?: string
  nodes: { host: string; port: number }[]
  path: string
}

/** Parts a Redis URL. Throws a TypeError that says what is wrong, without the password. */
export function parseRedisUrl(url: string): RedisAddress {
  const match = /^(redis|rediss)(-sentinel|-cluster)?:\/\/(?:([^@/]*)@)?([^/?@]+)(?:\/([^/?@]*))?$/.exec(url)
  if (!match) throw new TypeError(`expected ${redisSchemes.join('://, ')}:// and host:port`)
  const [, scheme, suffix, credentials = '', hosts = '', path = ''] = match
  const kind = suffix === '-sentinel' ? 'sentinel' : suffix === '-cluster' ? 'cluster' : 'single'
  if (kind === 'sentinel' && path === '') throw new TypeError("expected the master's name after the sentinels")
  if (kind === 'single' && !/^\d*$/.test(path)) throw new TypeError(`expected a database number, got ${path}`)
  const [, username = '', password = ''] = /^([^:]*):?(.*)$/.exec(credentials)?.map(decode) ?? []
  return {
    kind,
    tls: scheme === 'rediss',
    ...(username && { username }),
    ...(password && { password }),
    nodes: hosts.split(',').map((node) => parseNode(node, kind === 'sentinel' ? 26_379 : 6379)),
    path,
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new TypeError('expected % in user and password to be written as %25', { cause: error })
  }
}

function parseNode(node: string, defaultPort: number): { host: string; port: number } {
  const [, host = '', port] = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(node) ?? []
  if (host === '' || Number(port ?? 0) > 65_535) throw new TypeError(`expected host:port, got ${node}`)
  return { host: host.replace(/[[\]]/g, ''), port: port === undefined ? defaultPort : Number(port) }
}

/** Waits until the client can serve, or throws `redis_unavailable` after `timeoutMs`. */
export async function whenReady(client: RedisClient, timeoutMs: number): Promise<void> {
  if (client.status === 'ready') return
  let why = 'no answer'
  let refuse: (error: DebloxError) => void = () => {}
  const remember = (error: unknown) => {
    why = describe(error)
    // It will be no other one in a moment.
    if (isDistrusted(error)) refuse(distrusted(error))
  }
  client.on('error', remember)
  const over = AbortSignal.timeout(timeoutMs)
  try {
    // Not `once` of node:events: that one ends at the first error, and there may be many before Redis answers.
    await new Promise<void>((resolve, reject) => {
      client.once('ready', resolve)
      refuse = reject
      over.addEventListener('abort', () => {
        client.off('ready', resolve)
        reject(
          new DebloxError('redis_unavailable', `expected Redis to answer within ${timeoutMs / 1000} s, got ${why}`),
        )
      })
    })
  } finally {
    client.off('error', remember)
  }
}

/** Whether TLS failed because of the other end's certificate. Node has a code for each way in which one may be wrong. */
const isDistrusted = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /CERT|UNABLE_TO|ALTNAME/.test(String(error.code))

const distrusted = (cause: unknown): DebloxError =>
  new DebloxError(
    'redis_unavailable',
    `expected Redis to answer with a certificate that is trusted here (NODE_EXTRA_CA_CERTS adds an authority), got ${describe(cause)}`,
    { cause },
  )

function describe(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error)
  const { message = '', code = '', name = '' } = error as Partial<Record<'message' | 'code' | 'name', unknown>>
  return String(message || code || name)
}

/** A Lua script that runs atomically in Redis. */
export interface Script {
  lua: string
  sha: string
}

export const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') })

/** Runs a script by its hash, and by its text where Redis does not know it (yet, or again after a restart). */
export async function runScript(
  client: RedisClient,
  { lua, sha }: Script,
  keys: string[],
  args: (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (redisErrorCode(error) !== 'NOSCRIPT') throw error
    return client.eval(lua, keys.length, ...keys, ...args)
  }
}

/** The code that Redis's protocol puts first in an error reply, e.g. `NOSCRIPT`, or undefined for other errors. */
export function redisErrorCode(error: unknown): string | undefined {
  return error instanceof ReplyError ? (error as Error).message.split(' ', 1)[0] : undefined
}

/** What is expected where a Redis that can be reached replies that it cannot serve now, by the code of its reply. */
const notNow: Partial<Record<string, string>> = {
  LOADING: 'Redis to have read its data',
  BUSY: 'Redis to be done with a script',
  MASTERDOWN: 'Redis to reach its master',
  READONLY: 'Redis to be a master',
  MISCONF: 'Redis to be able to write to its disk',
  OOM: 'Redis to have room in its memory',
  NOREPLICAS: 'Redis to have enough replicas',
  CLUSTERDOWN: 'all of the Redis cluster to be up',
  TRYAGAIN: 'the Redis cluster to be at rest',
}

/** Whether Redis could not be reached, or could not serve just then: what is asked of it later may be done. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof DebloxError ? error.code === 'redis_unavailable' : notNow[redisErrorCode(error) ?? ''] !== undefined

type AsyncFunctions = Record<string, (...args: never[]) => unknown>

/**
 * Wraps a set of functions so that every failure to reach Redis is told as `redis_unavailable`. ioredis has no class
 * for most of them; what is neither Redis's own reply nor ours is one.
 */
export function overRedis<T extends AsyncFunctions>(functions: T): T {
  const wrap =
    (run: (...args: never[]) => unknown) =>
    async (...args: never[]) => {
      try {
        return await run(...args)
      } catch (error) {
        throw asUnavailable(error)
      }
    }
  return Object.fromEntries(Object.entries(functions).map(([name, run]) => [name, wrap(run)])) as T
}

function asUnavailable(error: unknown): unknown {
  if (error instanceof DebloxError || error instanceof TypeError || error instanceof SyntaxError) return error
  const code = redisErrorCode(error)
  const expected = code === undefined ? 'Redis to answer' : notNow[code]
  if (expected === undefined) return error
  // ioredis's own words for a lost connection speak of its options: they are the cause, not the message.
  const got = code === undefined ? 'no answer' : describe(error)
  return new DebloxError('redis_unavailable', `expected ${expected}, got ${got}`, { cause: error })
}
