import { createSecretKey, randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import pino from 'pino'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { Audit, type AuditOptions } from './audit'
import { beginning, type Decision, verifyAudit } from './audit-chain'
import { auditIntakeOf } from './audit-intake'
import { connectRedis, whenReady } from './redis'

const use = useFleet()
const key = createSecretKey(randomBytes(32))
let audits: Audit[] = []
let logged: string[]

beforeEach(() => {
  logged = []
})

afterEach(async () => {
  await Promise.all(audits.splice(0).map((audit) => audit.stop(100)))
})

function open(more: Partial<AuditOptions> = {}): Audit {
  const out = new PassThrough()
  out.on('data', (chunk: Buffer) => logged.push(...chunk.toString().trim().split('\n')))
  const { redis, keys } = use.fleet()
  const audit = new Audit({ redis, keys, macKeys: [key], log: pino({ level: 'warn' }, out), ...more })
  audits.push(audit)
  return audit
}

const decision = (more: Partial<Decision> = {}): Decision => ({
  who: 'anna',
  via: 'token',
  tokenId: 't1',
  role: 'operator',
  permission: 'start-container',
  object: 'ab'.repeat(32),
  dock: 'dock1',
  job: '0190c2a4-0000-7000-8000-000000000000',
  address: '192.0.2.1',
  requestId: 'r1',
  decision: 'allow',
  status: 200,
  ...more,
})

const page = (audit: Audit, limit = 100_000) => audit.store.page({ limit })
const texts = async (audit: Audit) => (await page(audit)).lines.map(({ text }) => JSON.parse(text) as Decision)

async function verdict(audit: Audit) {
  const start = await audit.store.start()
  expect(start.signed).toBe(true)
  return verifyAudit((await page(audit)).lines, [key], start.hash)
}

/** What somebody does to the stream who has Redis's password and not the key. */
const entries = () => use.redis().xrange(use.fleet().keys.audit, '-', '+')
const remove = (id: string) => use.redis().xdel(use.fleet().keys.audit, id)

test('decisions are in the chain in their order, with their time', async () => {
  const audit = open()
  audit.record(decision(), '2026-11-23T04:00:00.000Z')
  audit.record(decision({ decision: 'deny', status: 403, code: 'forbidden', who: 'bob' }))
  await audit.flush()
  expect(await texts(audit)).toEqual([
    { at: '2026-11-23T04:00:00.000Z', ...decision() },
    {
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      ...decision({ decision: 'deny', status: 403, code: 'forbidden', who: 'bob' }),
    },
  ])
  expect(await verdict(audit)).toMatchObject({ ok: true, count: 2 })
})

test('each is a line of the log at once, whatever its level', () => {
  const audit = open()
  audit.record(decision())
  expect(JSON.parse(logged[0] ?? '')).toMatchObject({ audit: true, ...decision() })
})

test('a hundred decisions at once are one write', async () => {
  const audit = open()
  await audit.store.head()
  await use.redis().call('CONFIG', 'RESETSTAT')
  for (let n = 0; n < 100; n++) audit.record(decision())
  await audit.flush()
  const stats = await use.redis().info('commandstats')
  expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(3)
  expect(await verdict(audit)).toMatchObject({ ok: true, count: 100 })
})

test('several replicas keep one chain', async () => {
  const replicas = [open(), open(), open(), open()]
  for (let round = 0; round < 20; round++) {
    for (const [n, audit] of replicas.entries()) audit.record(decision({ requestId: `${n}.${round}` }))
    if (round % 5 === 0) await Promise.all(replicas.map((audit) => audit.flush()))
  }
  await Promise.all(replicas.map((audit) => audit.flush()))
  const [one] = replicas as [Audit]
  expect(new Set((await texts(one)).map(({ requestId }) => requestId)).size).toBe(80)
  expect(await verdict(one)).toMatchObject({ ok: true, count: 80 })
})

test('entries whose answer was lost are not written twice', async () => {
  const { store } = open()
  const head = await store.head()
  const first = await store.append(['{"n":1}', '{"n":2}'], head)
  await store.append(['{"n":3}'], first.head)
  expect(await store.append(['{"n":1}', '{"n":2}'], head)).toMatchObject({ length: 3, lost: false })
  expect((await store.page({ limit: 10 })).lines.map(({ text }) => text)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}'])
})

test('the same entries on purpose are written as often as they come', async () => {
  const { store } = open()
  const first = await store.append(['{"n":1}'], await store.head())
  expect(await store.append(['{"n":1}'], first.head)).toMatchObject({ length: 2 })
})

test('an entry that was changed in Redis is found', async () => {
  const audit = open()
  for (const who of ['anna', 'bob', 'eve']) audit.record(decision({ who }))
  await audit.flush()
  const all = await entries()
  await use.redis().del(use.fleet().keys.audit)
  for (const [id, [, text = '', , hash = '']] of all) {
    await use.redis().xadd(use.fleet().keys.audit, id, 'entry', text.replace('"bob"', '"tom"'), 'hash', hash)
  }
  expect(await verdict(audit)).toMatchObject({ ok: false, line: 2, text: expect.stringContaining('"tom"') })
})

test.each([
  ['in the middle', 1, 2],
  ['at the beginning', 0, 1],
])('one that was removed %s is found', async (_, index, line) => {
  const audit = open()
  for (const who of ['anna', 'bob', 'eve']) audit.record(decision({ who }))
  await audit.flush()
  await remove((await entries())[index]?.[0] ?? '')
  expect(await verdict(audit)).toMatchObject({ ok: false, line })
})

test('that the end was removed is found by the next to write, told in the log, and kept in the chain', async () => {
  const audit = open()
  for (const who of ['anna', 'bob', 'eve']) audit.record(decision({ who }))
  await audit.flush()
  await remove((await entries())[2]?.[0] ?? '')
  audit.record(decision({ who: 'dora' }))
  await audit.flush()
  expect((await texts(audit)).map(({ who, code }) => who ?? code)).toEqual(['anna', 'bob', 'dora', 'audit_broken'])
  expect(logged.join('\n')).toContain('"code":"audit_broken"')
  expect(await verdict(audit)).toMatchObject({ ok: true, count: 4 })
})

test('that all of it was removed is found too', async () => {
  const audit = open()
  audit.record(decision())
  await audit.flush()
  await use.redis().del(use.fleet().keys.audit)
  audit.record(decision())
  await audit.flush()
  expect((await texts(audit)).map(({ code }) => code)).toEqual([undefined, 'audit_broken'])
})

test('beyond the number that is kept the first ones go, and what is left verifies', async () => {
  const audit = open({ kept: 10 })
  for (let n = 0; n < 2_600; n++) audit.record(decision({ requestId: String(n) }))
  await audit.flush()
  const { count, hash } = await audit.store.start()
  expect(count).toBeGreaterThanOrEqual(1_000)
  expect(await verdict(audit)).toMatchObject({ ok: true, count: 2_600 - count })
  expect((await texts(audit))[0]?.requestId).toBe(String(count))
  // Whoever removes more of them cannot sign that.
  await use.redis().hset(use.fleet().keys.auditCheckpoint, 'count', count + 1)
  expect(await audit.store.start()).toEqual({ count: count + 1, hash, signed: false })
})

test('a chain that is not whole where it is cut is cut all the same, and that is told', async () => {
  const audit = open({ kept: 10 })
  for (let n = 0; n < 500; n++) audit.record(decision())
  await audit.flush()
  await remove((await entries())[100]?.[0] ?? '')
  for (let n = 0; n < 1_000; n++) audit.record(decision())
  await audit.flush()
  expect((await texts(audit)).map(({ code }) => code)).toContain('audit_broken')
})

test('pages follow one another, each with what the first of its lines follows', async () => {
  const audit = open()
  for (let n = 0; n < 7; n++) audit.record(decision({ requestId: String(n) }))
  await audit.flush()
  const first = await audit.store.page({ limit: 3 })
  const second = await audit.store.page({ from: `(${first.nextCursor}`, limit: 4 })
  expect([first.lines.length, second.lines.length, second.nextCursor]).toEqual([3, 4, null])
  expect(await verifyAudit([...first.lines, ...second.lines], [key], beginning)).toMatchObject({ ok: true, count: 7 })
  const [, , third] = await entries()
  const since = await audit.store.page({ from: third?.[0] ?? '', limit: 10 })
  expect(since.lines[0]?.prev).toBe(first.lines[1]?.hash)
})

test('while Redis is away decisions wait, nobody else does, and all of them are written when it is back', async () => {
  const client = connectRedis(use.server().url, 'fail-fast')
  client.on('error', () => {})
  await eventually(() => client.status === 'ready')
  const audit = open({ redis: client })
  audit.record(decision({ who: 'before' }))
  await audit.flush()
  await use.server().kill()
  for (let n = 0; n < 300; n++) audit.record(decision({ who: `away ${n}` }))
  await eventually(() => audit.counts.failures > 0)
  expect(audit.counts).toMatchObject({ written: 1, waiting: 300 })
  expect(logged.filter((line) => line.includes('"code":"audit_failed"'))).toHaveLength(1)
  await use.server().start()
  await audit.flush()
  const whose = (await texts(audit)).map(({ who }) => who)
  expect(whose).toEqual(['before', ...Array.from({ length: 300 }, (_, n) => `away ${n}`)])
  expect(await verdict(audit)).toMatchObject({ ok: true, count: 301 })
  client.disconnect()
})

test('more than memory may hold is told, in numbers, when there is room again', async () => {
  const audit = open()
  for (let n = 0; n < 20_005; n++) audit.record(decision())
  expect(audit.counts).toMatchObject({ lost: 5, waiting: 20_000 })
  await audit.flush()
  const told = (await texts(audit)).find(({ code }) => code === 'audit_failed')
  expect(told?.reason).toMatch(/^5 decisions/)
  expect(await verdict(audit)).toMatchObject({ ok: true, count: 20_001 })
})

test('a stop writes what waits', async () => {
  const audit = open()
  for (let n = 0; n < 600; n++) audit.record(decision())
  expect(await audit.stop()).toBe(0)
  expect(await verdict(audit)).toMatchObject({ ok: true, count: 600 })
})

test('a stop while Redis is away ends in time, and tells how many are in the log only', async () => {
  const client = connectRedis(use.server().url, 'fail-fast')
  await whenReady(client, 5_000)
  client.disconnect()
  const audit = open({ redis: client })
  audit.record(decision())
  const began = performance.now()
  expect(await audit.stop(300)).toBe(1)
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(logged.at(-1)).toContain('"left":1')
})

test('what workers refused comes into the chain, and out of the intake', async () => {
  const audit = open()
  const { redis, keys } = use.fleet()
  const intake = auditIntakeOf(redis, keys)
  const refusal = {
    at: '2026-11-23T04:00:00.000Z',
    dock: 'dock1',
    jobId: 'j1',
    what: 'bad_signature',
    reason: 'no sig',
  }
  await intake.refuse(refusal)
  await intake.refuse({ ...refusal, jobId: null, reason: 'x'.repeat(1_000) })
  await redis.xadd(keys.auditIntake, '*', 'rubbish', 'y'.repeat(1_000), 'at', 'never')
  expect(await audit.drainIntake()).toBe(3)
  expect(await audit.drainIntake()).toBe(0)
  const [one, two, three] = await texts(audit)
  expect(one).toMatchObject({
    at: refusal.at,
    who: null,
    via: 'worker',
    dock: 'dock1',
    job: 'j1',
    decision: 'deny',
    code: 'bad_signature',
    reason: 'no sig',
  })
  expect(two?.reason).toHaveLength(300)
  expect(three).toMatchObject({ dock: '', job: null, code: '' })
  expect(await redis.xlen(keys.auditIntake)).toBe(0)
})

test('a field that is as long as somebody chose is cut', async () => {
  const audit = open()
  audit.record(decision({ object: 'x'.repeat(5_000) }))
  await audit.flush()
  expect((await texts(audit))[0]?.object).toHaveLength(301)
})

test('whoever counts is told of each at once', () => {
  const seen: Decision[] = []
  open({ onEntry: (entry) => seen.push(entry) }).record(decision())
  expect(seen).toEqual([expect.objectContaining({ decision: 'allow' })])
})
