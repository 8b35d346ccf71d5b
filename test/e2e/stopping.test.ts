import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { freePort } from '../support/free-port'
import { startProgram } from '../support/processes'
import { startRedis } from '../support/redis'
import { sharedEngines } from '../support/shared'
import { create, type Made } from './containers'
import { accepted, ended, jobIn } from './jobs'

/** The same moments in every run; another seed tries others. */
const seed = Number(process.env['STOPPING_SEED'] ?? 1)
const rounds = Number(process.env['STOPPING_ROUNDS'] ?? 20)

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet({ apis: 2, docks: 1 })
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

test('on SIGTERM an API sends those who wait to their jobs at once, and takes no more; the jobs are done', async () => {
  const [first, second] = [fleet.apiNumber(1), fleet.apiNumber(2)]
  const { worker } = fleet.dock('dock1')
  await worker.pause()
  const some = { image: 'busybox', hostname: 'dock1' }
  const own = Array.from({ length: 20 }, () => fleet.request(first, 'POST', '/v1/containers', some))
  // This one waits for a job that the other replica accepted.
  const key = { 'Idempotency-Key': 'followed' }
  const body = { image: 'busybox', hostname: 'dock1', name: 'followed' }
  const elsewhere = fleet.request(second, 'POST', '/v1/containers', body, { ...key, Prefer: 'respond-async' })
  const followed = jobIn(await elsewhere)
  const following = fleet.request(first, 'POST', '/v1/containers', body, key)
  const waiting = () => fleet.redis.llen(`${fleet.prefix}:${dockTopic('dock1')}:wait`)
  await eventually(waiting, (count) => count === 21)

  const began = performance.now()
  const exit = first.process.stop()
  const replies = await Promise.all([...own, following])
  expect(await exit).toEqual({ code: 0, signal: null })
  expect(performance.now() - began).toBeLessThan(2_000)
  await expect(fleet.request(first, 'GET', '/healthz')).rejects.toThrow('fetch failed')

  worker.resume()
  const ids = replies.map(jobIn)
  expect(ids.at(-1)).toBe(followed)
  const jobs = await Promise.all(ids.map((id) => ended(fleet, id, { api: second })))
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(ids.map(() => 'completed'))
  expect(new Set(ids).size).toBe(21)
  first.launch()
  await first.ready()
}, 60_000)

test.each(['api', 'worker'] as const)(
  'on SIGTERM while it waits for Redis the %s ends in order',
  async (program) => {
    const env = { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, PORT: String(await freePort()) }
    const { dockerHost } = fleet.dock('dock1').engine
    const process = startProgram(program, { ...env, DOCKER_HOST: dockerHost, DOCK_HOSTNAME: 'dock9' })
    await process.waitForLine(/Redis cannot be reached/)
    const began = performance.now()
    expect(await process.stop()).toEqual({ code: 0, signal: null })
    expect(performance.now() - began).toBeLessThan(10_000)
  },
  30_000,
)

test(`a worker that is stopped ${rounds} times under load leaves nothing active, and no job is found stalled`, async () => {
  const random = randomFrom(seed)
  const dock = fleet.dock('dock1')
  const container = await create(fleet, { hostname: 'dock1', name: 'renamed-0' })
  const asked: string[] = []
  for (let round = 1; round <= rounds; round++) {
    asked.push(...(await load(container, round)))
    const { worker } = dock
    if (random() < 0.25) await worker.waitForLine(/the daemon answers/)
    // After so many jobs, not after a time: that is a moment which comes again.
    else await jobsEnded(Math.floor(random() * 16))
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    expect({ round, active: await active() }).toEqual({ round, active: [] })
    dock.launch()
  }
  const jobs = await Promise.all(asked.map((id) => ended(fleet, id, { within: 60_000 })))
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(asked.map(() => 'completed'))
  expect(await stalled()).toEqual([])
}, 240_000)

test('a second SIGTERM ends a worker at once', async () => {
  const stubborn = { cmd: ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"], start: true, hostname: 'dock1' }
  await fleet.docksReady()
  const { id } = await create(fleet, stubborn)
  const job = await accepted(fleet, 'POST', `/v1/containers/${id}/stop`, { timeout: 6 })
  await eventually(async () => (await active()).length === 1)
  const dock = fleet.dock('dock1')
  dock.worker.signal('SIGTERM')
  await dock.worker.waitForLine(/"stopping"/)
  const began = performance.now()
  dock.worker.signal('SIGTERM')
  expect(await dock.worker.exited).toEqual({ code: 1, signal: null })
  expect(performance.now() - began).toBeLessThan(1_000)
  dock.launch()
  expect(await ended(fleet, job, { within: 40_000 })).toMatchObject({ state: 'completed' })
}, 60_000)

test('on SIGTERM while Redis does not answer both programs end within ten seconds all the same', async () => {
  const redis = await startRedis()
  const own = await startFleet({ docks: 1, redisUrl: redis.url, engines: sharedEngines().slice(1) })
  try {
    await redis.pause()
    // The fleet asks for ten seconds at the most.
    const exits = await Promise.all([own.api.process.stop(), own.dock('dock1').worker.stop()])
    expect(exits.map(({ signal }) => signal)).toEqual([null, null])
    expect(exits[0].code).toBe(0)
  } finally {
    redis.resume()
    await own.stop()
    await redis.remove()
  }
}, 60_000)

/** Work of all kinds on the dock: in order for one container, for many at a time, and for whoever is free. */
async function load({ id }: Made, round: number): Promise<string[]> {
  const on = (name: string) => ({ image: 'busybox', hostname: 'dock1', name })
  const ids = [accepted(fleet, 'POST', '/v1/containers', on(`own-${round}`))]
  ids.push(accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', name: `any-${round}` }))
  for (let n = 0; n < 5; n++) {
    for (const cpuShares of [512, 1024]) ids.push(accepted(fleet, 'POST', `/v1/containers/${id}/update`, { cpuShares }))
    ids.push(accepted(fleet, 'POST', `/v1/containers/${id}/rename`, { name: `renamed-${round}-${n}` }))
  }
  return Promise.all(ids)
}

/** Waits until the worker has taken up its work and done so many jobs. */
async function jobsEnded(count: number): Promise<void> {
  const { worker } = fleet.dock('dock1')
  await worker.waitForLine(/acts for this dock/, { within: 20_000 })
  const lines = () => worker.lines.filter((line) => line.includes('"job ended"')).length
  await eventually(lines, (many) => many >= count, { every: 2, within: 20_000 })
}

const topics = [clusterTopic, dockTopic('dock1')]

async function active(): Promise<string[]> {
  return (await Promise.all(topics.map((topic) => fleet.redis.lrange(`${fleet.prefix}:${topic}:active`, 0, -1)))).flat()
}

/** The jobs that BullMQ has found without a worker, by its own records. */
async function stalled(): Promise<string[]> {
  const keys = await fleet.redis.keys(`${fleet.prefix}:${clusterTopic}*`)
  const hashes = keys.filter((key) => /:[0-9a-f-]{36}\.\d+$/.test(key))
  expect(hashes.length).toBeGreaterThan(rounds)
  const counts = await Promise.all(hashes.map((key) => fleet.redis.hget(key, 'stc')))
  return hashes.filter((_, n) => Number(counts[n] ?? 0) > 0)
}

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
function randomFrom(seedOfRun: number): () => number {
  let state = seedOfRun
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
