import { generateKeyPairSync } from 'node:crypto'
import { ownersDouble } from '../../../libs/actions/src/testing/context'
import { type JobRecord, newJobId, slotJobId } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import { DebloxError } from '@deblox/actions/errors'
import { pino } from 'pino'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { Consumers } from './consume'
import type { Dock } from './dock'
import { Gate } from './gate'
import { Spent } from './spent'

const use = useFleet()
const double = useDockerDouble()
const topic = dockTopic('here')
const id = (n: number): string => n.toString(16).padStart(64, '0')

/** A dock's gates, without a dock. */
class GatesDouble {
  readonly work = new Gate()
  readonly clusterWork = new Gate()
  mayPlace = async () => this.eligible
  actsSince = () => 0
  eligible = true
}

let gates: GatesDouble
let consumers: Consumers
let spent: Spent
const log = pino({ level: 'silent' })

beforeEach(async () => {
  gates = new GatesDouble()
  spent = await Spent.open('/dev/null', 'here', () => Date.now(), log)
  consumers = consuming()
})

function consuming(): Consumers {
  const context = {
    hostname: 'here',
    docker: double.docker,
    leaseLost: () => new AbortController().signal,
    daemonLost: () => new AbortController().signal,
    graceMs: () => 0,
    owners: ownersDouble,
    policy: { maxProfile: 'privileged' } as const,
    defaultRules: { profile: 'privileged' } as const,
    labelsOf: () => undefined,
    now: () => Date.now(),
    fleet: use.fleet(),
    daemon: new Gate(true),
    spent,
    settled: { add: () => undefined },
    sealKey: generateKeyPairSync('x25519').privateKey,
    incarnation: 'this-worker',
    refresh: async () => {},
    touch: () => {},
  }
  return new Consumers(use.fleet(), gates as unknown as Dock, context, log, () => {})
}

async function accept(action: string, params: JobRecord['params'], more: Partial<JobRecord> = {}): Promise<string> {
  const record: JobRecord = {
    id: newJobId(),
    action,
    params,
    actor: 'anna',
    owner: 'anna',
    replyTo: use.fleet().keys.replies('replica'),
    numbered: false,
    acceptedAt: Date.now(),
    topics: [topic],
    ...more,
  }
  await use.fleet().jobs.accept({ record })
  return record.id
}

const stateOf = async (job: string) => (await use.fleet().jobs.status(job)).slots[0]?.state
const onTopic = () => use.fleet().topics.queue(topic).getJobCounts('waiting', 'active', 'failed', 'completed')
const asked = () => double.asked.map(({ what }) => what.split('/').at(-1))

test('takes jobs while its gate is open, and records how they end', async () => {
  double.answer(`POST /containers/${id(1)}/start`, { status: 204 })
  double.answer(`POST /containers/${id(2)}/start`, { status: 404, body: { message: 'No such container' } })
  const [first, second] = [
    await accept('start-container', { id: id(1) }),
    await accept('start-container', { id: id(2) }),
  ]
  expect(await onTopic()).toMatchObject({ waiting: 2 })
  gates.work.set(true)
  await eventually(async () => (await stateOf(first)) === 'completed' && (await stateOf(second)) === 'failed')
  const [slot] = (await use.fleet().jobs.status(second)).slots
  expect(slot).toMatchObject({
    dock: 'here',
    error: { code: 'docker_error', status: 404, message: 'No such container' },
  })
  await consumers.stop()
})

test('tells the audit what this dock itself refused: whoever asked may not wait for it', async () => {
  double.answer(`GET /containers/${id(1)}/json`, { status: 200, body: { Config: { Labels: {} } } })
  const job = await accept('start-container', { id: id(1) }, { given: { owner: 'anna' } })
  gates.work.set(true)
  await eventually(async () => (await stateOf(job)) === 'failed')
  await consumers.stop()
  const { redis, keys } = use.fleet()
  const told = (await redis.xrange(keys.auditIntake, '-', '+')).map(([, fields]) => fields)
  expect(told).toEqual([expect.arrayContaining(['here', slotJobId(job, 1), 'forbidden'])])
})

test('a lease that is lost keeps a container’s jobs in their order until it is held again, and none of them fails', async () => {
  const turns = ['start', 'pause', 'unpause', 'stop']
  for (const turn of turns) double.answer(`POST /containers/${id(1)}/${turn}`, { status: 204 })
  for (const turn of turns) await accept(`${turn}-container`, { id: id(1) })
  const lease = jest.spyOn(double.docker.modem, 'dial').mockImplementation((_options, callback) => {
    const refuse = () => callback?.(new DebloxError('lease_lost', 'run out'), null)
    // Not before all of them have been taken and wait for their turn.
    void eventually(async () => (await onTopic())['active'] === turns.length).finally(refuse)
  })
  const lost = new Promise<void>((resolve) => gates.work.onChange((open) => open || resolve()))
  gates.work.set(true)
  await lost
  expect(asked()).toEqual([])
  lease.mockRestore()
  gates.work.set(true)
  await eventually(async () => (await onTopic())['completed'] === turns.length)
  expect(asked()).toEqual(turns)
  await consumers.stop()
})

test('a worker that stops while its lease is lost gives its jobs back in their order', async () => {
  const turns = ['start', 'pause', 'unpause']
  for (const turn of turns) await accept(`${turn}-container`, { id: id(1) })
  const lease = jest.spyOn(double.docker.modem, 'dial').mockImplementation((_options, callback) => {
    callback?.(new DebloxError('lease_lost', 'run out'), null)
  })
  const lost = new Promise<void>((resolve) => gates.work.onChange((open) => open || resolve()))
  gates.work.set(true)
  await lost
  await consumers.stop()
  lease.mockRestore()
  const waiting = await use.fleet().topics.queue(topic).getJobs(['waiting'])
  // BullMQ lists the next one last.
  expect(waiting.toReversed().map(({ name }) => name)).toEqual(turns.map((turn) => `${turn}-container`))
}, 20_000)

test('what is under way when the worker must stop goes back to the topic, and none of it fails', async () => {
  // They are taken and sent, and the daemon never answers.
  const ids = [1, 2, 3, 4, 5].map(id)
  for (const one of ids) double.answer(`POST /containers/${one}/start`, () => {})
  const jobs = await Promise.all(ids.map((one) => accept('start-container', { id: one })))
  const queued = await accept('stop-container', { id: id(1) })
  gates.work.set(true)
  await eventually(() => double.asked.length === ids.length)
  await consumers.stop()
  await expect(onTopic()).resolves.toEqual({ waiting: jobs.length + 1, active: 0, failed: 0, completed: 0 })

  // The next worker does them, in order.
  double.reset()
  for (const one of ids) double.answer(`POST /containers/${one}/start`, { status: 304 })
  double.answer(`POST /containers/${id(1)}/stop`, { status: 204 })
  gates = new GatesDouble()
  consumers = consuming()
  gates.work.set(true)
  await eventually(async () => (await stateOf(queued)) === 'completed')
  const ofFirst = double.asked.filter(({ what }) => what.includes(id(1))).map(({ what }) => what.split('/').at(-1))
  expect(ofFirst).toEqual(['start', 'stop'])
  await consumers.stop()
}, 20_000)
