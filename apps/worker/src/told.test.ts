import { generateKeyPairSync } from 'node:crypto'
import { anyDock, type JobRecord } from '@deblox/fleet/job'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { thumbprint } from '@deblox/fleet/signing/public-keys'
import { seal, type SealKey } from '@deblox/fleet/signing/seal'
import { pino } from 'pino'
import { ownersDouble, someId } from '../../../libs/actions/src/testing/context'
import { eventually } from '../../../test/support/eventually'
import { Consumers } from './consume'
import type { Dock } from './dock'
import { Gate } from './gate'
import { type PlaceContext, placeSlot } from './place'
import { runAction } from './run-action'
import { Spent } from './spent'
import { runContextDouble, slotOf } from './testing/run-context-double'
import { useSlots } from './testing/slots-on-redis'

const { use, double, jobs, accepted, running } = useSlots()
const never = new AbortController().signal
const create = { params: { image: 'busybox' }, topics: [dockTopic('here')] }
const createRoute = 'POST /containers/create'
const startRoute = `POST /containers/${someId}/start`

const told = async ({ id }: JobRecord) =>
  (await jobs().events(id)).events.map(({ event, slot, dock, data }) => [event, slot, dock, data])

describe('on the way through a worker', () => {
  test('a create tells where it is placed and why, its attempt, Docker’s answer, and what it made', async () => {
    double.answer(createRoute, { status: 201, body: { Id: someId, Warnings: null } })
    double.answer(startRoute, { status: 204 })
    const record = await accepted('create-container', create)
    const { run, runner } = running()
    await run(record)
    await runner.allRecorded()
    const container = { id: someId, name: `deblox-${record.id}-1` }
    expect(await told(record)).toEqual([
      ['accepted', null, null, { action: 'create-container', slots: 1 }],
      ['placed', 1, 'here', { reason: 'named', why: expect.any(String) }],
      ['started', 1, 'here', { attempt: 1 }],
      ['docker', 1, 'here', { status: 201 }],
      ['completed', 1, 'here', { attempts: 1, container }],
      ['completed', null, 'here', { attempts: 1, container }],
    ])
  })

  test('one that fails tells Docker’s words', async () => {
    double.answer(createRoute, { status: 400, body: { message: 'bad image' } })
    const record = await accepted('create-container', create)
    const { run, runner } = running()
    await expect(run(record)).rejects.toThrow('bad image')
    await runner.allRecorded()
    const error = { code: 'docker_error', status: 400, message: 'bad image' }
    expect((await told(record)).slice(3)).toEqual([
      ['docker', 1, 'here', { status: 400, message: 'bad image' }],
      ['failed', 1, 'here', { attempts: 1, error }],
      ['failed', null, 'here', { attempts: 1, error }],
    ])
  })

  test('one that another dock has claimed tells where it went', async () => {
    const record = await accepted('create-container', { ...create, topics: [clusterTopic] })
    jest.spyOn(use.fleet().docks, 'isLeased').mockResolvedValue(true)
    await use.fleet().placements.claim(record.id, 1, 'there')
    await running().run(record)
    expect((await told(record)).slice(1)).toEqual([['waiting', 1, 'there', { why: 'there has claimed it' }]])
  })
})

describe('while it is tried', () => {
  test('each further try is told, and why, in words in which no secret stands', async () => {
    const sealKey = generateKeyPairSync('x25519').privateKey
    const { kty, crv, x } = sealKey.export({ format: 'jwk' }) as unknown as SealKey
    const sealed = await seal(
      { env: { PASSWORD: 'geheim' } },
      { jobId: 'job-7', slot: 1, dock: 'here' },
      { kty, crv, x, kid: thumbprint({ kty, crv, x }) },
    )
    double.answer(createRoute, { status: 500, body: { message: 'cannot set PASSWORD=geheim' } }, { status: 400 })
    const { context, told: heard } = runContextDouble(double.docker)
    const slot = slotOf('create-container', { image: 'busybox' }, { sealed })
    await expect(runAction(slot, never, { ...context, sealKey })).rejects.toMatchObject({ status: 400 })
    const data = { failed: 1, status: 500, code: 'docker_error', why: 'cannot set PASSWORD=***' }
    expect(heard).toEqual([{ event: 'retrying', data }])
  })

  test('one that waits for the daemon says so, once', async () => {
    double.answer(startRoute, { status: 204 })
    const { context, daemon, told: heard } = runContextDouble(double.docker)
    daemon.set(false)
    const run = runAction(slotOf('start-container', { id: someId }), never, context)
    await eventually(() => expect(heard).toHaveLength(1))
    daemon.set(true)
    await run
    expect(heard).toEqual([{ event: 'waiting', data: { why: 'the Docker daemon of here does not answer' } }])
  })
})

describe('why it is placed here', () => {
  const reasonOf = async (more: object, claims = [{ hostname: 'here', epoch: 1 }]) => {
    const reasons: string[] = []
    const ask = async (...args: unknown[]) => {
      reasons.push((args.at(-1) as { reason: { reason: string } }).reason.reason)
      return claims.shift()
    }
    const fleet = { docks: { isLeased: async () => false }, placements: { claim: ask, reclaim: ask } }
    const context = { hostname: 'here', fleet } as unknown as PlaceContext
    await placeSlot(slotOf('create-container', {}, more), context)
    return reasons.at(-1)
  }
  const lost = [
    { hostname: 'there', epoch: 1 },
    { hostname: 'here', epoch: 2 },
  ]

  test.each([
    ['named', { dock: 'here', from: dockTopic('here') }],
    ['sealed', { dock: 'here', from: dockTopic('here'), sealed: 'for here' }],
    ['dealt', { dock: anyDock, from: dockTopic('here') }],
    ['free', { dock: anyDock, from: clusterTopic }],
  ])('%s', async (reason, more) => expect(await reasonOf(more)).toBe(reason))

  test('taken-over', async () => expect(await reasonOf({ dock: anyDock }, lost)).toBe('taken-over'))
})

describe('by the consumers', () => {
  let consumers: Consumers
  const warned: unknown[] = []
  const log = pino({ level: 'silent' })

  beforeEach(async () => {
    warned.length = 0
    jest.spyOn(log, 'warn').mockImplementation((about: unknown) => void warned.push(about))
    const gates = { work: new Gate(true), clusterWork: new Gate(true), mayPlace: async () => true, actsSince: () => 0 }
    const context = {
      hostname: 'here',
      docker: double.docker,
      leaseLost: () => never,
      daemonLost: () => never,
      graceMs: () => 0,
      owners: ownersDouble,
      policy: { maxProfile: 'privileged' } as const,
      defaultRules: { profile: 'privileged' } as const,
      labelsOf: () => undefined,
      now: () => Date.now(),
      fleet: use.fleet(),
      daemon: new Gate(true),
      spent: await Spent.open('/dev/null', 'here', () => Date.now(), log),
      settled: { add: () => undefined },
      sealKey: generateKeyPairSync('x25519').privateKey,
      incarnation: 'this-worker',
      refresh: async () => {},
      touch: () => {},
    }
    consumers = new Consumers(use.fleet(), gates as unknown as Dock, context, log, () => {})
  })

  afterEach(async () => {
    jest.restoreAllMocks()
    await consumers.stop()
  })

  const pulled = async () => {
    const lines = ['Downloading', 'Pull complete'].map((status) => JSON.stringify({ id: '0123456789ab', status }))
    double.answer('POST /images/create', (response) => response.end(lines.join('\n')))
    double.answer('GET /images/busybox/json', { status: 200, body: { Id: 'sha256:1', RepoTags: ['busybox:latest'] } })
    const record = await accepted('pull-image', create)
    await eventually(async () => {
      expect((await jobs().events(record.id)).events.at(-1)).toMatchObject({ slot: null, event: 'completed' })
    })
    return record
  }

  test('a pull tells how far it is, and the dock that was free why it took a create', async () => {
    const pull = { image: 'busybox:latest', layers: { '0123456789ab': { status: 'Pull complete' } } }
    expect(await told(await pulled())).toContainEqual(['pull', 1, 'here', pull])
    double.answer(createRoute, { status: 400, body: { message: 'bad image' } })
    const record = await accepted('create-container', { ...create, topics: [clusterTopic] })
    await eventually(async () => {
      expect(await told(record)).toContainEqual(['placed', 1, 'here', { reason: 'free', why: expect.any(String) }])
    })
  })

  test('what cannot be told fails nothing, and is in the log', async () => {
    const refused = new Error('told to nobody')
    jest.spyOn(use.fleet().jobs, 'tell').mockRejectedValue(refused)
    const record = await pulled()
    expect(await told(record)).not.toContainEqual(expect.arrayContaining(['pull']))
    expect(warned).toContainEqual({ err: refused, job: record.id })
  })
})
