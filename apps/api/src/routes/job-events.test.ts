import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Identity } from '@deblox/actions/access/identity'
import { type JobRecord, payloadOf } from '@deblox/fleet/job'
import { pino } from 'pino'
import { completed, failed, recordOn } from '../../../../libs/fleet/src/testing/record'
import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { Events } from '../../../../test/support/sse'
import { createApp } from '../app'
import { JobFollower } from '../job-follower'
import { openGate } from '../testing/open-gate'
import { jobEventRoutes } from './job-events'

const use = useFleet()
const jobs = () => use.fleet().jobs

const admin: Identity = { subject: 'root', teams: [], role: 'admin' }
let identity: Identity
let servers: Server[] = []
let followers: JobFollower[] = []
let opened: Events[] = []

beforeEach(() => {
  identity = admin
})

afterEach(() => {
  for (const one of opened) one.leave()
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  for (const follower of followers) follower.stop()
  servers = []
  followers = []
  opened = []
})

/** An API replica of this route alone, for whoever `identity` is. */
async function replica(lookMs = 60_000): Promise<string> {
  const follower = new JobFollower(jobs(), 20)
  followers.push(follower)
  const known = async () => ({ identity, via: 'token' as const })
  const gate = { ...openGate, know: known, still: known }
  const routes = jobEventRoutes(use.fleet(), follower, lookMs)
  const log = pino({ level: 'silent' })
  const app = createApp({ routes, pages: [], gate, edges: [], onDecided: () => {}, log })
  const server = createServer(app).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function follow(id: string, { at, after, query = '' }: { at?: string; after?: string; query?: string } = {}) {
  const headers: Record<string, string> = after === undefined ? {} : { 'last-event-id': after }
  const events = await Events.open(`${at ?? (await replica())}/v1/jobs/${id}/events${query}`, headers)
  opened.push(events)
  return events
}

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), more)
  await jobs().accept({ record })
  return record
}

const begin = (record: JobRecord, dock = 'dock-1') => jobs().begin(payloadOf(record, 1), 9, dock)
const finish = (record: JobRecord, outcome = completed()) => jobs().finish(payloadOf(record, 1), outcome)
const whole = ['accepted', 'placed', 'started', 'docker', 'completed', 'completed', 'end']

test('tells what was told, then what is told from now on, and ends with the job', async () => {
  const record = await accepted()
  const events = await follow(record.id)
  expect(events.response.headers.get('content-type')).toContain('text/event-stream')
  await events.next(({ event }) => event === 'placed')
  await begin(record)
  await finish(record, failed())
  expect(await events.over).toBe('end')
  expect(events.names()).toEqual(['accepted', 'placed', 'started', 'docker', 'failed', 'failed', 'end'])
  const [, placed, started, docker, , last, end] = events.heard
  expect(placed?.data).toMatchObject({ slot: 1, dock: 'dock-1', reason: 'container', at: expect.stringMatching(/Z$/) })
  expect(started?.data).toMatchObject({ slot: 1, dock: 'dock-1', attempt: 1 })
  expect(docker?.data).toMatchObject({ status: 409, message: 'no' })
  expect(last?.data).toMatchObject({ slot: null, error: { code: 'docker_error', status: 409, message: 'no' } })
  expect(end).toMatchObject({ id: last?.id, data: { job: { id: record.id, state: 'failed' } } })
})

test('goes on behind the last event on another replica, without a gap and without repeating anything', async () => {
  const record = await accepted()
  const first = await follow(record.id)
  const { id } = await first.next(({ event }) => event === 'placed')
  first.leave()
  await begin(record)
  const second = await follow(record.id, { after: id })
  await second.next(({ event }) => event === 'started')
  await finish(record)
  await second.over
  expect(second.names()).toEqual(whole.slice(2))
  const third = await follow(record.id, { query: `?lastEventId=${id}` })
  await third.over
  expect(third.heard).toEqual(second.heard)
})

test('of a job that has ended all is told, and whoever knows all of it is told not to come back', async () => {
  const record = await accepted()
  await begin(record)
  await finish(record)
  const events = await follow(record.id)
  expect(await events.over).toBe('end')
  expect(events.names()).toEqual(whole)
  const again = await follow(record.id, { after: events.heard.at(-1)?.id ?? '' })
  expect(again.response.status).toBe(204)
})

test('a job of which nothing is kept is told as it stands, and its end is seen', async () => {
  const record = await accepted()
  await use.redis().del(use.fleet().keys.jobEvents(record.id))
  const events = await follow(record.id, { at: await replica(50) })
  expect((await events.next(({ event }) => event === 'gap')).data).toMatchObject({
    oldest: null,
    job: { id: record.id, state: 'waiting' },
  })
  await finish(record)
  await events.over
  expect(events.names()).toEqual(['gap', 'end'])
  const late = await follow(record.id)
  await late.over
  expect(late.names()).toEqual(['gap', 'end'])
})

test('says where it does not know all: the first events are no longer kept', async () => {
  const record = await accepted()
  const key = use.fleet().keys.jobEvents(record.id)
  await begin(record)
  const known = (await jobs().events(record.id)).events.map(({ id }) => id)
  await use.redis().ltrim(key, -1, -1)
  const [first, resumed, current] = await Promise.all([
    follow(record.id),
    follow(record.id, { after: known[0] ?? '' }),
    follow(record.id, { after: known[2] ?? '' }),
  ])
  await finish(record)
  await Promise.all([first, resumed, current].map(({ over }) => over))
  expect(first.names()).toEqual(['gap', ...whole.slice(2)])
  expect(resumed.names()).toEqual(['gap', ...whole.slice(2)])
  expect(current.names()).toEqual(whole.slice(3))
})

test('an end that somebody has made up is not told, nor what would mislead about when and where', async () => {
  const record = await accepted()
  const key = use.fleet().keys.jobEvents(record.id)
  await use.redis().rpush(key, `3 0 ${Date.now()} completed - dock-9 {}`)
  await use.redis().rpush(key, `4 0 ${Date.now()} started 1 dock-1 {"at":"never","slot":7}`)
  const events = await follow(record.id)
  expect((await events.next(({ event }) => event === 'started')).data).toEqual({
    at: expect.stringMatching(/^2/),
    slot: 1,
    dock: 'dock-1',
  })
  await finish(record)
  await events.over
  expect(events.names()).toEqual(['accepted', 'placed', 'started', 'docker', 'completed', 'completed', 'end'])
})

test('says why a job does not go on of which nothing is told, once', async () => {
  await use.fleet().docks.register('dock-1')
  const record = await accepted()
  const events = await follow(record.id, { at: await replica(30) })
  const { id, data } = await events.next(({ event }) => event === 'waiting')
  expect([id, data]).toEqual([
    undefined,
    expect.objectContaining({ slot: 1, dock: 'dock-1', code: 'host_unreachable' }),
  ])
  const looks = jest.spyOn(jobs(), 'status')
  await eventually(
    () => looks.mock.calls.length,
    (count) => count > 3,
  )
  await finish(record)
  await events.over
  expect(events.names().filter((name) => name === 'waiting')).toHaveLength(1)
})

describe('whose it is', () => {
  test.each([
    ['a stranger', { subject: 'ben', teams: [], role: 'deployer' }, 404],
    ['an auditor', { subject: 'anna', teams: [], role: 'auditor' }, 403],
  ] as const)('%s is refused', async (_, who, status) => {
    const record = await accepted()
    const at = await replica()
    identity = { ...who, teams: [] }
    expect((await fetch(`${at}/v1/jobs/${record.id}/events`)).status).toBe(status)
  })

  test('he who has asked for it hears it, and a job that is not there is not found', async () => {
    const record = await accepted()
    identity = { subject: 'anna', teams: [], role: 'viewer' }
    const events = await follow(record.id)
    await events.next(({ event }) => event === 'placed')
    await use.redis().del(use.fleet().keys.job(record.id))
    expect((await follow(record.id)).response.status).toBe(404)
  })

  test.each([
    ['another’s', { subject: 'ben', teams: [], role: 'viewer' }],
    ['not for an auditor', { subject: 'anna', teams: [], role: 'auditor' }],
  ] as const)('it ends when it is %s from now on', async (_, who) => {
    const record = await accepted()
    identity = { subject: 'anna', teams: [], role: 'viewer' }
    const events = await follow(record.id)
    await events.next(({ event }) => event === 'placed')
    identity = { ...who, teams: [] }
    expect(await events.over).not.toBe('end')
    await eventually(
      () => followers.map(({ size }) => size),
      (sizes) => sizes.every((size) => size === 0),
    )
  })
})

const nines = (digits: number) => '9'.repeat(digits)
const noIds = ['1', '12-x', `${nines(20)}-0`, `${nines(16)}-0`, `0-${nines(16)}`]

test.each(noIds)('an event id that is none is refused (%s)', async (after) => {
  const record = await accepted()
  await begin(record)
  await finish(record)
  for (const asked of [{ after }, { query: `?lastEventId=${after}` }]) {
    expect((await follow(record.id, asked)).response.status).toBe(400)
  }
})

test('the greatest id that there may be is behind all that was told', async () => {
  const record = await accepted()
  await begin(record)
  await finish(record)
  expect((await follow(record.id, { after: `${nines(15)}-${nines(15)}` })).response.status).toBe(204)
})
