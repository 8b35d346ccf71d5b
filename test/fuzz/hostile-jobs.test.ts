import { payloadOf } from '@deblox/fleet/job'
import { testKeys } from '../../libs/fleet/src/testing/keys'
import { withChance } from '../support/chance'
import { eventually } from '../support/eventually'
import { FleetOfFakes } from '../support/fleet-of-fakes'
import { type HostileJob, hostilePayload, hostileRecord, hostileTarget } from '../support/hostile-jobs'

const prefix = 'hostile-jobs'
/** As many as fit into what is kept of failed jobs, on two topics. */
const batch = 80
let fakes: FleetOfFakes
let pid: number

beforeAll(async () => {
  fakes = await FleetOfFakes.start(prefix)
  await fakes.expectGoodJobs(20_000)
  pid = fakes.worker.pid
}, 60_000)

afterEach(expectAlive)

afterAll(() => fakes.stop(), 60_000)

const valid = () => ({ ...payloadOf(fakes.record('list-containers', {}), 1) })
const signed = (body: string) => ({ v: 3, body, sig: testKeys.sign(body, 'deblox-job') })
const sign = (body: string) => JSON.stringify(signed(body))

test('2,000 payloads that no API sends end failed, each with its cause', async () => {
  await withChance(async (chance) => {
    const jobs = numbered(1_400, () => hostilePayload(chance, valid(), prefix, sign))
    const targets = numbered(600, () => hostileTarget(chance, valid(), sign))
    // These are looked for by BullMQ's check for stalled jobs, which takes seconds.
    const records = numbered(batch, () => hostileRecord(chance, { ...signed(JSON.stringify(valid())) }))
    const all = [...jobs, ...targets, ...records]
    for (let first = 0; first < all.length; first += batch)
      await expectFailed(await put(all.slice(first, first + batch), first))
  })
  await expectQuiet()
  await fakes.expectGoodJobs()
}, 120_000)

test('ids without a job are passed over', async () => {
  for (const topic of fakes.topics) {
    const key = (name: string) => `${prefix}:${topic}:${name}`
    const ids = Array.from({ length: 50 }, (_, n) => `nothing-${n}`)
    await fakes.redis.lpush(key('wait'), ...ids)
    await fakes.redis.zadd(key('delayed'), 1, 'late-nothing')
    await wake(topic)
  }
  await expectQuiet()
  await fakes.expectGoodJobs()
}, 120_000)

function expectAlive(): void {
  expect(fakes.worker).toMatchObject({ running: true, pid })
}

interface Sent {
  topic: string
  id: string
  wrong: string
}

/** Puts jobs on both topics as BullMQ keeps them: a hash each, and its id in the list of those that wait. */
async function put(jobs: HostileJob[], first: number): Promise<Sent[]> {
  const sent: Sent[] = []
  const writes = fakes.redis.pipeline()
  for (const [n, { wrong, id = `hostile-${first + n}`, data, opts, fields = {} }] of jobs.entries()) {
    const topic = fakes.topics[n % fakes.topics.length] as string
    const own = { ...(data !== undefined && { data }), ...(opts !== undefined && { opts }) }
    const usual = { name: 'hostile', timestamp: String(Date.now()), delay: '0', priority: '0' }
    writes.hset(`${prefix}:${topic}:${id}`, { ...usual, ...own, ...fields })
    writes.lpush(`${prefix}:${topic}:wait`, id)
    sent.push({ topic, id, wrong })
  }
  await writes.exec()
  for (const topic of fakes.topics) await wake(topic)
  return sent
}

/** Tells whoever waits for a job on this topic that there is one, as BullMQ's own add does. */
async function wake(topic: string): Promise<void> {
  await fakes.redis.zadd(`${prefix}:${topic}:marker`, 0, '0')
}

async function expectFailed(sent: Sent[]): Promise<void> {
  await expectQuiet().catch(async (e: Error) => {
    const left = await Promise.all(fakes.topics.map((topic) => fakes.redis.lrange(`${prefix}:${topic}:active`, 0, -1)))
    throw new Error(
      `${e.message} ${sent
        .filter(({ id }) => left.flat().includes(id))
        .map(({ wrong }) => wrong)
        .join('\n')}`,
    )
  })
  const reads = fakes.redis.pipeline()
  for (const { topic, id } of sent) {
    reads.zscore(`${prefix}:${topic}:failed`, id).hget(`${prefix}:${topic}:${id}`, 'failedReason')
  }
  const replies = (await reads.exec()) ?? []
  const bad = sent.filter((_, n) => {
    const [failed, reason] = [replies[2 * n]?.[1], replies[2 * n + 1]?.[1]]
    return failed === null || typeof reason !== 'string' || reason === ''
  })
  expect(bad).toEqual([])
}

/** Waits until nothing waits, nothing is at work, and nothing is to be tried again. */
async function expectQuiet(): Promise<void> {
  const look = async () => {
    fakes.worker.assertRunning()
    const counts = fakes.topics.map((topic) =>
      fakes.fleet.topics.queue(topic).getJobCounts('wait', 'active', 'delayed', 'prioritized'),
    )
    return (await Promise.all(counts)).map((count) => Object.values(count).reduce((sum, one) => sum + one, 0))
  }
  await eventually(look, (left) => left.every((count) => count === 0), { within: 60_000, every: 200, what: 'quiet' })
}

const numbered = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
