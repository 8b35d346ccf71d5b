import type { Audit } from './audit'
import { beginning, type Decision, verifyAudit } from './audit-chain'
import { auditIntakeOf } from './audit-intake'
import { useAudits, decision } from './testing/audits'

const use = useAudits()

test('decisions are in the chain in their order, with their time', async () => {
  const audit = use.open()
  audit.record(decision(), '2026-11-23T04:00:00.000Z')
  audit.record(decision({ decision: 'deny', status: 403, code: 'forbidden', who: 'bob' }))
  await audit.flush()
  expect(await use.entriesOf(audit)).toEqual([
    { at: '2026-11-23T04:00:00.000Z', ...decision() },
    {
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      ...decision({ decision: 'deny', status: 403, code: 'forbidden', who: 'bob' }),
    },
  ])
  expect(await use.verdict(audit)).toMatchObject({ ok: true, count: 2 })
})

test('each is a line of the log at once, whatever its level', () => {
  const audit = use.open()
  audit.record(decision())
  expect(JSON.parse(use.logged()[0] ?? '')).toMatchObject({ audit: true, ...decision() })
})

test('a hundred decisions at once are one write', async () => {
  const audit = use.open()
  await audit.store.head()
  await use.redis().call('CONFIG', 'RESETSTAT')
  for (let n = 0; n < 100; n++) audit.record(decision())
  await audit.flush()
  const stats = await use.redis().info('commandstats')
  expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(3)
  expect(await use.verdict(audit)).toMatchObject({ ok: true, count: 100 })
})

test('several replicas keep one chain', async () => {
  const replicas = [use.open(), use.open(), use.open(), use.open()]
  for (let round = 0; round < 20; round++) {
    for (const [n, audit] of replicas.entries()) audit.record(decision({ requestId: `${n}.${round}` }))
    if (round % 5 === 0) await Promise.all(replicas.map((audit) => audit.flush()))
  }
  await Promise.all(replicas.map((audit) => audit.flush()))
  const [one] = replicas as [Audit]
  expect(new Set((await use.entriesOf(one)).map(({ requestId }) => requestId)).size).toBe(80)
  expect(await use.verdict(one)).toMatchObject({ ok: true, count: 80 })
})

test('entries whose answer was lost are not written twice', async () => {
  const { store } = use.open()
  const head = await store.head()
  const first = await store.append(['{"n":1}', '{"n":2}'], head)
  await store.append(['{"n":3}'], first.head)
  expect(await store.append(['{"n":1}', '{"n":2}'], head)).toMatchObject({ length: 3, lost: false })
  expect((await store.page({ limit: 10 })).lines.map(({ text }) => text)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}'])
})

test('the same entries on purpose are written as often as they come', async () => {
  const { store } = use.open()
  const first = await store.append(['{"n":1}'], await store.head())
  expect(await store.append(['{"n":1}'], first.head)).toMatchObject({ length: 2 })
})

test('beyond the number that is kept the first ones go, and what is left verifies', async () => {
  const audit = use.open({ kept: 10 })
  for (let n = 0; n < 2_600; n++) audit.record(decision({ requestId: String(n) }))
  await audit.flush()
  const { count, hash } = await audit.store.start()
  expect(count).toBeGreaterThanOrEqual(1_000)
  expect(await use.verdict(audit)).toMatchObject({ ok: true, count: 2_600 - count })
  expect((await use.entriesOf(audit))[0]?.requestId).toBe(String(count))
  // Whoever removes more of them cannot sign that.
  await use.redis().hset(use.fleet().keys.auditCheckpoint, 'count', count + 1)
  expect(await audit.store.start()).toEqual({ count: count + 1, hash, signed: false })
})

test('pages follow one another, each with what the first of its lines follows', async () => {
  const audit = use.open()
  for (let n = 0; n < 7; n++) audit.record(decision({ requestId: String(n) }))
  await audit.flush()
  const first = await audit.store.page({ limit: 3 })
  const second = await audit.store.page({ from: `(${first.nextCursor}`, limit: 4 })
  expect([first.lines.length, second.lines.length, second.nextCursor]).toEqual([3, 4, null])
  expect(await verifyAudit([...first.lines, ...second.lines], [use.key], beginning)).toMatchObject({
    ok: true,
    count: 7,
  })
  const [, , third] = await use.stream()
  const since = await audit.store.page({ from: third?.[0] ?? '', limit: 10 })
  expect(since.lines[0]?.prev).toBe(first.lines[1]?.hash)
})

test('a stop writes what waits', async () => {
  const audit = use.open()
  for (let n = 0; n < 600; n++) audit.record(decision())
  expect(await audit.stop()).toBe(0)
  expect(await use.verdict(audit)).toMatchObject({ ok: true, count: 600 })
})

test('what workers refused comes into the chain, and out of the intake', async () => {
  const audit = use.open()
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
  const [one, two, three] = await use.entriesOf(audit)
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
  const audit = use.open()
  audit.record(decision({ object: 'x'.repeat(5_000) }))
  await audit.flush()
  expect((await use.entriesOf(audit))[0]?.object).toHaveLength(301)
})

test('whoever counts is told of each at once', () => {
  const seen: Decision[] = []
  use.open({ onEntry: (entry) => seen.push(entry) }).record(decision())
  expect(seen).toEqual([expect.objectContaining({ decision: 'allow' })])
})
