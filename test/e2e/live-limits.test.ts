import { eventually } from '../support/eventually'
import { FakeDaemon } from '../support/fake-daemon'
import { startFleet, type Fleet } from '../support/fleet'
import { type Flow, logLoudly } from '../support/loud-log'
import { type RunningProcess, startProgram } from '../support/processes'
import { type RedisServer, startRedis } from '../support/redis'
import { Growth } from '../support/resident'
import { SlowReader } from '../support/slow-reader'
import { create, listed, type Made } from './containers'

let server: RedisServer
let fleet: Fleet
let containers: Made[]

beforeAll(async () => {
  // Of its own: how much it holds must be this fleet's doing.
  server = await startRedis()
  fleet = await startFleet({ apis: 2, redisUrl: server.url })
  containers = await Promise.all(fleet.docks.map(({ hostname }) => create(fleet, { hostname, start: true })))
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await server.remove()
}, 60_000)

describe('while somebody reads a log much more slowly than it is written', () => {
  const mostGrowth = 64 * 2 ** 20
  let daemon: FakeDaemon
  let loud: string
  let flow: Flow
  let worker: RunningProcess

  beforeAll(async () => {
    daemon = await FakeDaemon.start()
    loud = daemon.add('loud').Id
    flow = logLoudly(daemon, loud, 100_000_000)
    const env = { ...fleet.api.env, DOCK_HOSTNAME: 'loud1', DOCKER_HOST: daemon.dockerHost }
    worker = startProgram('worker', env, 'worker of loud1')
    await eventually(
      () => statusOf(loud),
      (status) => status === 200,
      { within: 20_000, what: 'loud1 is asked' },
    )
  }, 30_000)

  afterAll(async () => {
    await worker.stop()
    await daemon.stop()
    await fleet.request(fleet.api, 'DELETE', '/v1/docks/loud1')
  }, 30_000)

  test('nobody keeps for him what he does not take, others are answered, and he is told what was left out', async () => {
    const growth = await Growth.since({ worker: worker.pid, API: fleet.api.process.pid, Redis: server.pid })
    const reader = await SlowReader.open(`${fleet.api.url}/v1/containers/${loud}/logs?follow=true`, 10_000)
    const others: number[] = []
    const enough = async (): Promise<boolean> => {
      others.push(await inspectTime('dock1'))
      expect(reader.failure).toBeUndefined()
      return flow.taken > 4 * mostGrowth
    }
    try {
      await eventually(enough, undefined, { within: 40_000, what: 'the worker has taken much of the log' })
      const grown = await growth.end()
      expect([...grown].filter(([, { growth }]) => growth >= mostGrowth)).toEqual([])
      expect(reader.bytes).toBeLessThan(mostGrowth)
      expect(Math.max(...others)).toBeLessThan(2_000)

      const mark = await reader.until(/(\d+) lines \(\d+ bytes\) are left out here/)
      expect(Number(/\d+/.exec(mark)?.[0])).toBeGreaterThan(100_000)
    } finally {
      await growth.end()
      reader.leave()
    }
  }, 60_000)

  test('the daemon is left within 5 s of his leaving', async () => {
    const reader = await SlowReader.open(`${fleet.api.url}/v1/containers/${loud}/logs?follow=true`, 10_000)
    await eventually(() => flow.readers === 1)
    reader.leave()
    await eventually(() => expect(flow.readers).toBe(0), undefined, { within: 5_000 })
  }, 10_000)
})

describe('with the engine of dock2 hung, and the worker of dock3 dead', () => {
  /** What was seen of the leases at about the same time, and of the rows. */
  const seen: { leased: boolean[]; stale: boolean[] }[] = []
  const took: number[] = []
  const waiting: Promise<{ status: number; ms: number }>[] = []

  beforeAll(async () => {
    await fleet.dock('dock2').engine.pause()
    await fleet.dock('dock3').worker.kill()
    // They wait for as long as they must. Nobody else has to.
    for (const dock of ['dock2', 'dock2', 'dock3', 'dock3']) {
      waiting.push(timed(() => statusOf(on(dock).id)).then(({ ms, result }) => ({ ms, status: result })))
    }
    const look = async (): Promise<boolean> => {
      const sample = await looked()
      if (sample) seen.push(sample)
      took.push(await inspectTime('dock1'))
      return seen.filter(({ leased }) => leased[2] === false).length >= 10
    }
    await eventually(look, undefined, { within: 25_000, what: 'the lease of dock3 has ended' })
  }, 40_000)

  afterAll(() => fleet.dock('dock2').engine.resume())

  test('rows are stale from the moment when the lease of their dock has ended, and no others, on every replica', () => {
    expect(seen.length).toBeGreaterThan(20)
    expect(seen.at(0)?.leased).toEqual([true, true, true])
    expect(seen.filter(({ leased, stale }) => leased.some((is, n) => is === stale[n]))).toEqual([])
  })

  test('lists of the fleet and requests about another dock were answered at once all the time', () => {
    expect(took.length).toBeGreaterThan(20)
    expect(Math.max(...took)).toBeLessThan(2_000)
  })

  test('what is asked of a dock without a lease is refused at once, and what was asked before has ended, too', async () => {
    const { ms, result } = await timed(() => statusOf(on('dock3').id))
    expect(result).toBe(503)
    expect(ms).toBeLessThan(1_000)
    const ended = await Promise.all(waiting)
    expect(ended.filter(({ status }) => ![502, 503, 504].includes(status))).toEqual([])
    expect(Math.max(...ended.map((one) => one.ms))).toBeLessThan(20_000)
  }, 30_000)

  test('what is asked of the dock whose engine hangs is refused at once, now that it is known', async () => {
    const { ms, result } = await timed(() => statusOf(on('dock2').id))
    expect(result).toBe(503)
    expect(ms).toBeLessThan(2_000)
  })

  test('nothing is stale any more when the dock has a worker again', async () => {
    fleet.dock('dock3').launch()
    const held = () => fleet.redis.exists(`${fleet.prefix}:lease:dock3`)
    await eventually(held, (count) => count === 1, { within: 20_000, what: 'dock3 has its lease' })
    expect((await listed(fleet)).filter(({ stale }) => stale)).toEqual([])
  }, 30_000)
})

/** Undefined where a lease ended while the rows were read. */
async function looked(): Promise<{ leased: boolean[]; stale: boolean[] } | undefined> {
  const before = await leased()
  const lists = await Promise.all(
    fleet.apis.map(async (api) => {
      const { ms, result } = await timed(() => listed(fleet, '', api))
      expect(ms).toBeLessThan(2_000)
      return fleet.docks.map(({ hostname }) => result.find(({ dock }) => dock === hostname)?.stale)
    }),
  )
  const after = await leased()
  if (String(before) !== String(after)) return undefined
  expect(lists[0]).toEqual(lists[1])
  return { leased: after, stale: lists[0] as boolean[] }
}

async function leased(): Promise<boolean[]> {
  const exist = fleet.docks.map(({ hostname }) => fleet.redis.exists(`${fleet.prefix}:lease:${hostname}`))
  return (await Promise.all(exist)).map((count) => count === 1)
}

function on(dock: string): Made {
  const container = containers.find((made) => made.dock === dock)
  if (!container) throw new Error(`no container on ${dock}`)
  return container
}

async function inspectTime(dock: string): Promise<number> {
  const { ms, result } = await timed(() => statusOf(on(dock).id))
  expect(result).toBe(200)
  return ms
}

const statusOf = async (id: string): Promise<number> =>
  (await fleet.request(fleet.api, 'GET', `/v1/containers/${id}`)).status

async function timed<T>(task: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const began = performance.now()
  const result = await task()
  return { ms: performance.now() - began, result }
}
