import { type JobPayload, payloadOf, slotJobId } from '@deblox/fleet/job'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { testKeys } from '../../libs/fleet/src/testing/keys'
import { withChance } from '../support/chance'
import { eventually } from '../support/eventually'
import { FleetOfFakes } from '../support/fleet-of-fakes'
import { forgeries, type ForgedJob } from '../support/forged-jobs'

const prefix = 'forged-envelopes'
/** As many as fit into what is kept of failed jobs, on two topics. */
const batch = 80
/** What jobs here are about. */
let containerId: string
let fakes: FleetOfFakes
/** What was asked of the daemon by a job. */
let acts: string[] = []

beforeAll(async () => {
  fakes = await FleetOfFakes.start(prefix)
  await fakes.expectGoodJobs(20_000)
  containerId = fakes.daemon.add('here').Id
  fakes.daemon.oddly = ({ method, path, query }) => {
    // The worker itself reads, too, but never asks for a size.
    if (method !== 'GET' || query.has('size')) acts.push(`${method} ${path}`)
    return undefined
  }
}, 60_000)

beforeEach(() => {
  acts = []
})

afterAll(() => fakes.stop(), 60_000)

const refused = () => fakes.redis.hget(`${prefix}:dock:${fakes.hostname}`, 'refused').then(Number)
const intake = () => fakes.redis.xlen(fakes.fleet.keys.auditIntake)
const keyOf = (topic: string, name: string) => `${prefix}:${topic}:${name}`

/** Payloads of which each would be carried out, and be seen at the daemon. */
const wanted = () =>
  [
    ['start-container', { id: containerId }],
    ['delete-container', { id: containerId, force: true }],
    ['inspect-container', { id: containerId, size: true }],
    ['create-container', { image: 'busybox' }],
  ] as const

let count = 0
const valid = (): JobPayload => {
  const [action, params] = wanted()[count++ % 4] as ReturnType<typeof wanted>[number]
  const record = fakes.record(action, params, dockTopic(fakes.hostname))
  return payloadOf({ ...record, expiresAt: Date.now() + 3_600_000 }, 1)
}

test('1,600 forged jobs of all kinds are refused: nothing reaches the daemon, and each is counted and told to the audit', async () => {
  const [countBefore, toldBefore] = [await refused(), await intake()]
  const all = await withChance(async (chance) => {
    const jobs = Object.entries(forgeries).flatMap(([wrong, forge]) =>
      numbered(100, (): ForgedJob => ({ wrong, ...forge({ chance, keys: testKeys, valid }) })),
    )
    for (let first = 0; first < jobs.length; first += batch)
      await expectRefused(await put(jobs.slice(first, first + batch)))
    return jobs
  })
  expect(all.length).toBeGreaterThanOrEqual(1_600)
  expect(acts).toEqual([])
  expect((await refused()) - countBefore).toBe(all.length)
  expect((await intake()) - toldBefore).toBe(all.length)
  await fakes.expectGoodJobs()
}, 180_000)

describe('a job that was carried out', () => {
  /** What the API signed, as whoever can read Redis has it. */
  async function done(action: string, params: Record<string, unknown>, topic = dockTopic(fakes.hostname)) {
    const id = await fakes.accept(action, params, topic)
    const { data } = (await fakes.fleet.topics.queue(topic).getJob(slotJobId(id, 1))) ?? {}
    const { state } = await fakes.ended(id)
    return { id, data, topic, state }
  }

  const record = (id: string) => fakes.fleet.keys.job(id)

  /** What somebody does to Redis, so that the job seems not to have ended. */
  const coverUps: Record<string, (id: string) => Promise<unknown>> = {
    'and is left as it was': async () => undefined,
    'whose record is removed': (id) => fakes.redis.del(record(id)),
    'whose outcome is removed': (id) => fakes.redis.hdel(record(id), 'slot:1', 'finished', 'starts:1', 'begun:1'),
    'whose claim is removed as well': (id) =>
      fakes.redis.del(record(id), fakes.fleet.keys.placement(id, 1), fakes.fleet.keys.result(id, 1)),
  }

  test.each(Object.entries(coverUps))(
    '%s is not carried out again, however often it is put on a topic',
    async (_, cover) => {
      const jobs = [
        await done('create-container', { image: 'busybox', start: true }),
        await done('create-container', { image: 'busybox' }, clusterTopic),
        await done('start-container', { id: containerId }),
      ]
      acts = []
      for (const { id, data, topic } of jobs) {
        await cover(id)
        const own = slotJobId(id, 1)
        await fakes.redis.del(keyOf(topic, own))
        await fakes.redis.zrem(keyOf(topic, 'completed'), own)
        await fakes.redis.zrem(keyOf(topic, 'failed'), own)
        const again = numbered(25, (n) => ({ wrong: 'replayed', id: n === 0 ? own : `${own}.${n + 1}`, data }))
        await put(again, topic)
      }
      await expectQuiet()
      expect(acts).toEqual([])
    },
    60_000,
  )
})

describe('a job that the API has accepted', () => {
  test('ends failed where somebody has changed it on its topic, and whoever looks it up is told so', async () => {
    await fakes.worker.pause()
    const id = await fakes.accept('start-container', { id: containerId })
    const key = keyOf(dockTopic(fakes.hostname), slotJobId(id, 1))
    const data = (await fakes.redis.hget(key, 'data')) ?? ''
    await fakes.redis.hset(key, 'data', data.replace('start-container', 'kill-container'))
    fakes.worker.resume()
    await eventually(async () => {
      // Without anybody's asking the API.
      const outcome = await fakes.redis.hget(fakes.fleet.keys.job(id), 'slot:1')
      expect(JSON.parse(outcome ?? '{}')).toMatchObject({
        state: 'failed',
        error: { code: 'bad_signature', status: 403 },
      })
    })
    expect(acts).toEqual([])
  }, 30_000)

  test('is done, whatever is put on topics in its name', async () => {
    await fakes.worker.pause()
    const id = await fakes.accept('start-container', { id: containerId })
    const payload = { ...valid(), jobId: id, slot: 1 }
    const forged = numbered(40, (n) => ({ wrong: 'in its name', id: `${slotJobId(id, 1)}.${n + 1}`, data: payload }))
    await put(forged)
    fakes.worker.resume()
    await expectQuiet()
    expect(await fakes.ended(id)).toMatchObject({ state: 'completed' })
    expect(acts.filter((act) => act.endsWith('/start'))).toHaveLength(1)
  }, 30_000)
})

/** Puts jobs on topics as BullMQ keeps them: a hash each, and its id in the list of those that wait. */
async function put(jobs: ForgedJob[], only?: string): Promise<(ForgedJob & { topic: string })[]> {
  const writes = fakes.redis.pipeline()
  const sent = jobs.map((job, n) => ({ ...job, topic: only ?? (fakes.topics[n % fakes.topics.length] as string) }))
  for (const { topic, id, data } of sent) {
    const fields = { name: 'forged', data: JSON.stringify(data), opts: '{}', timestamp: String(Date.now()) }
    writes.hset(keyOf(topic, id), { ...fields, delay: '0', priority: '0' })
    writes.lpush(keyOf(topic, 'wait'), id)
  }
  for (const topic of fakes.topics) writes.zadd(keyOf(topic, 'marker'), 0, '0')
  await writes.exec()
  return sent
}

async function expectRefused(sent: (ForgedJob & { topic: string })[]): Promise<void> {
  await expectQuiet()
  const reads = fakes.redis.pipeline()
  for (const { topic, id } of sent) reads.hget(keyOf(topic, id), 'failedReason')
  const replies = (await reads.exec()) ?? []
  const others = sent.flatMap(({ wrong, id }, n) => {
    const reason = String(replies[n]?.[1])
    return reason.startsWith('{"code":"bad_signature"') ? [] : [{ wrong, id, reason }]
  })
  expect(others).toEqual([])
}

/** Waits until nothing waits and nothing is at work. */
async function expectQuiet(): Promise<void> {
  const look = async () => {
    fakes.worker.assertRunning()
    const counts = fakes.topics.map((topic) =>
      fakes.fleet.topics.queue(topic).getJobCounts('wait', 'active', 'delayed'),
    )
    return (await Promise.all(counts)).flatMap((one) => Object.values(one)).reduce((sum, one) => sum + one, 0)
  }
  await eventually(look, (left) => left === 0, { within: 30_000, every: 100, what: 'quiet' })
}

const numbered = <T>(length: number, make: (n: number) => T): T[] => Array.from({ length }, (_, n) => make(n))
