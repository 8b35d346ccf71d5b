import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'bullmq'
import { eventually } from '../../../test/support/eventually'
import { freePort } from '../../../test/support/free-port'
import { RunningProcess } from '../../../test/support/processes'
import { RedisServer, startRedis } from '../../../test/support/redis'
import { removeEmptyRunFolder, runFolder } from '../../../test/support/run-folder'
import { checkFitness } from './fitness'
import { type Fleet, openFleet } from './fleet'
import { newJobId, type SignedJob, type SlotOutcome } from './job'
import { clusterTopic } from './names'
import {
  connectRedis,
  isRefusal,
  overRedis,
  type RedisClient,
  redisErrorCode,
  retryStrategy,
  runScript,
  script,
  whenReady,
} from './redis'
import type { SlotReturn } from './topics'
import { trustIn } from './signing/trust'
import { testKeys } from './testing/keys'
import { completed } from './testing/record'

let folder: string
const started: (RunningProcess | RedisServer)[] = []
const clients: RedisClient[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(runFolder(), 'r-'))
})

afterAll(async () => {
  for (const client of clients) client.disconnect()
  for (const process of started) await ('remove' in process ? process.remove() : process.kill())
  await rm(folder, { recursive: true })
  await removeEmptyRunFolder()
})

async function redis(): Promise<RedisServer> {
  const server = await startRedis()
  started.push(server)
  return server
}

function client(url: string, temper: 'patient' | 'fail-fast' = 'patient'): RedisClient {
  const opened = connectRedis(url, temper)
  opened.on('error', () => {})
  clients.push(opened)
  return opened
}

/** Accepts a job, takes it from its topic, and records its end: all that a fleet asks of Redis. */
async function oneJob(fleet: Fleet): Promise<string> {
  const id = newJobId()
  const record = { id, action: 'register', params: {}, actor: 'anna', owner: 'anna', numbered: false }
  const replyTo = fleet.keys.replies('replica')
  const outcome: SlotOutcome = { ...completed(), result: null }
  await fleet.docks.register('dock-1')
  await fleet.docks.acquireLease('dock-1', 'one')
  await expect(fleet.docks.heartbeat('dock-1', 'one', 'ok')).resolves.toMatchObject({ held: true, registered: true })
  await expect(fleet.placements.claim(id, 1, 'dock-1')).resolves.toMatchObject({ epoch: 1 })
  await fleet.jobs.accept({
    record: { ...record, replyTo, acceptedAt: Date.now(), topics: [clusterTopic] },
    idempotency: { key: id, payload: 'p' },
  })
  const run = async (job: { data: SignedJob }): Promise<SlotReturn> => {
    await fleet.jobs.finish(await fleet.jobs.open(job.data), outcome)
    return { forwardedTo: 'nowhere' }
  }
  const worker = new Worker<SignedJob, SlotReturn>(clusterTopic, run, {
    connection: fleet.redis,
    prefix: fleet.prefix,
  })
  await new Promise<void>((resolve) => worker.on('completed', () => resolve()))
  await worker.close()
  const [slot] = (await fleet.jobs.status(id)).slots
  await expect(fleet.redis.xlen(replyTo)).resolves.toBe(1)
  await expect(fleet.docks.list()).resolves.toMatchObject([{ hostname: 'dock-1', state: 'ready' }])
  await fleet.docks.unregister('dock-1')
  await fleet.topics.close()
  return slot?.state ?? 'none'
}

test('a fleet works on a single Redis, in a database of its own', async () => {
  const server = await redis()
  const opened = client(`${server.url}/3`)
  await expect(oneJob(openFleet(opened, 'deblox', undefined, trustIn(testKeys)))).resolves.toBe('completed')
  await expect(client(server.url).keys('*')).resolves.toEqual([])
  await opened.call('CONFIG', 'SET', 'maxmemory', '1gb')
  await expect(checkFitness(opened)).resolves.toEqual({ refusals: [], warnings: [] })
})

test('a fleet works behind a Sentinel', async () => {
  const server = await redis()
  const port = await freePort()
  const config = join(folder, 'sentinel.conf')
  await writeFile(config, `port ${port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 ${server.port} 1\n`)
  const sentinel = new RunningProcess({
    name: 'sentinel',
    command: 'redis-server',
    args: [config, '--sentinel'],
    cwd: folder,
  })
  started.push(sentinel)
  await sentinel.waitForLine(/\+monitor master main/)
  const fleet = openFleet(client(`redis-sentinel://127.0.0.1:${port}/main`), 'deblox', undefined, trustIn(testKeys))
  await expect(oneJob(fleet)).resolves.toBe('completed')
})

describe('a Redis Cluster', () => {
  let port: number

  beforeAll(async () => {
    port = await freePort()
    const place = await mkdtemp(join(folder, 'cluster-'))
    // A node that has met no other does not know its own address.
    const own = ['--bind', '127.0.0.1', '--cluster-announce-ip', '127.0.0.1', '--dir', place, '--save', '']
    const ports = ['--port', String(port), '--cluster-port', String(await freePort())]
    const keeping = ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--maxmemory', '1gb']
    const node = new RunningProcess({
      name: 'cluster',
      command: 'redis-server',
      args: ['--cluster-enabled', 'yes', ...own, ...ports, ...keeping],
      cwd: place,
    })
    started.push(node)
    await node.waitForLine(/Ready to accept connections/)
    const direct = client(`redis://127.0.0.1:${port}`)
    await direct.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await eventually(async () => /cluster_state:ok/.test(String(await direct.call('CLUSTER', 'INFO'))))
  })

  test('a fleet works on it with a prefix in braces', async () => {
    const opened = client(`redis-cluster://127.0.0.1:${port}`)
    await whenReady(opened, 10_000)
    await expect(oneJob(openFleet(opened, '{deblox}', undefined, trustIn(testKeys)))).resolves.toBe('completed')
    await expect(checkFitness(opened)).resolves.toEqual({ refusals: [], warnings: [] })
  })
})

describe('a Redis that is away', () => {
  test('is told of in time, with why, and leaves no listener behind; once it is there, it is used', async () => {
    const server = new RedisServer(await freePort(), await mkdtemp(join(folder, 'late-')))
    started.push(server)
    const opened = client(server.url)
    const before = [opened.listenerCount('error'), opened.listenerCount('ready')]
    await expect(whenReady(opened, 300)).rejects.toMatchObject({
      code: 'redis_unavailable',
      status: 503,
      message: expect.stringMatching(/^expected Redis to answer within 0.3 s, got .*ECONNREFUSED/),
    })
    expect([opened.listenerCount('error'), opened.listenerCount('ready')]).toEqual(before)
    await server.start()
    await whenReady(opened, 10_000)
    expect([opened.listenerCount('error'), opened.listenerCount('ready')]).toEqual(before)
  })

  test('fails a command of those who answer people within a second, and serves them again once it is back', async () => {
    const server = await redis()
    const fleet = openFleet(client(server.url, 'fail-fast'), 'deblox')
    await whenReady(fleet.redis, 10_000)
    await fleet.docks.names()
    for (const [stop, go] of [
      [() => server.pause(), () => server.resume()],
      [() => server.kill(), () => server.start()],
    ] as const) {
      await stop()
      const asked = performance.now()
      await expect(fleet.docks.names()).rejects.toMatchObject({ code: 'redis_unavailable' })
      expect(performance.now() - asked).toBeLessThan(1_000)
      await go()
      await eventually(() => fleet.docks.names().then(() => true))
    }
  })
})

describe('a script', () => {
  test('runs by its text where Redis does not know it, and by its hash from then on', async () => {
    const opened = client((await redis()).url)
    const add = script(`return redis.call('INCRBY', KEYS[1], ARGV[1])`)
    await expect(runScript(opened, add, ['n'], [2])).resolves.toBe(2)
    const evaluated = jest.spyOn(opened, 'eval')
    await expect(runScript(opened, add, ['n'], [3])).resolves.toBe(5)
    expect(evaluated).not.toHaveBeenCalled()
    await opened.script('FLUSH')
    await expect(runScript(opened, add, ['n'], [1])).resolves.toBe(6)
  })

  test('that fails tells its own error, not that Redis is away', async () => {
    const opened = client((await redis()).url)
    const run = () => runScript(opened, script(`return redis.error_reply('WRONG it is')`), [], [])
    await expect(run()).rejects.toThrow('WRONG it is')
    expect(await run().catch(redisErrorCode)).toBe('WRONG')
    await expect(overRedis({ run }).run()).rejects.not.toMatchObject({ code: 'redis_unavailable' })
  })
})

test.each([
  ['Redis is loading', 'LOADING Redis is loading the dataset in memory', 'Redis to have read its data'],
  ['Redis may not write', 'MISCONF Errors writing to the AOF file', 'Redis to be able to write to its disk'],
  ['Redis is full', 'OOM command not allowed', 'Redis to have room in its memory'],
  ['Redis is a replica', 'READONLY You can not write against a read only replica', 'Redis to be a master'],
])('a reply which says that %s (%s) tells that, and counts as away', async (_, reply, expected) => {
  const failure = await replied(reply)
  expect(failure).toMatchObject({ code: 'redis_unavailable', message: `expected ${expected}, got ${reply}` })
  expect(isRefusal(failure)).toBe(true)
  expect(isRefusal((failure as Error).cause)).toBe(true)
})

test.each([
  ['the key has another type', 'WRONGTYPE Operation against a key'],
  ['the user may not', 'NOPERM this user has no permissions'],
])('a reply which says that %s (%s) is no refusal of a Redis that is away', async (_, reply) => {
  const failure = await replied(reply)
  expect(failure).not.toHaveProperty('code')
  expect(isRefusal(failure)).toBe(false)
})

test('a Redis that is full is not said to be silent', async () => {
  const server = await redis()
  const fleet = openFleet(client(server.url), 'deblox')
  await fleet.redis.config('SET', 'maxmemory', 1)
  await expect(fleet.docks.register('dock-1')).rejects.toMatchObject({
    message: expect.stringMatching(/^expected Redis to have room in its memory, got OOM/),
  })
})

test('clients that lost the same Redis come back at different times, none of them later than half a second', () => {
  for (const attempt of [1, 5, 10, 1_000]) {
    const most = Math.min(50 * attempt, 500)
    const pauses = Array.from({ length: 200 }, () => retryStrategy(attempt))
    expect(Math.max(...pauses)).toBeLessThanOrEqual(most)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(most / 2)
    expect(new Set(pauses).size).toBeGreaterThan(most / 10)
  }
})

/** What whoever uses `overRedis` is told when Redis replies so. */
function replied(reply: string): Promise<unknown> {
  const opened = client(started.find((one): one is RedisServer => 'url' in one)?.url ?? '')
  const fails = () => runScript(opened, script(`return redis.error_reply('${reply}')`), [], [])
  return overRedis({ fails })
    .fails()
    .catch((error: unknown) => error)
}
