import { eventually } from '../../../test/support/eventually'
import { connectRedis, whenReady } from './redis'
import { useAudits, decision } from './testing/audits'

const use = useAudits()

test('an entry that was changed in Redis is found', async () => {
  const audit = use.open()
  for (const who of ['anna', 'bob', 'eve']) audit.record(decision({ who }))
  await audit.flush()
  const all = await use.stream()
  await use.redis().del(use.fleet().keys.audit)
  for (const [id, [, text = '', , hash = '']] of all) {
    await use.redis().xadd(use.fleet().keys.audit, id, 'entry', text.replace('"bob"', '"tom"'), 'hash', hash)
  }
  expect(await use.verdict(audit)).toMatchObject({ ok: false, line: 2, text: expect.stringContaining('"tom"') })
})

test.each([
  ['in the middle', 1, 2],
  ['at the beginning', 0, 1],
])('one that was removed %s is found', async (_, index, line) => {
  const audit = use.open()
  for (const who of ['anna', 'bob', 'eve']) audit.record(decision({ who }))
  await audit.flush()
  await use.remove((await use.stream())[index]?.[0])
  expect(await use.verdict(audit)).toMatchObject({ ok: false, line })
})

test('that the end was removed is found by the next to write, told in the log, and kept in the chain', async () => {
  const audit = use.open()
  for (const who of ['anna', 'bob', 'eve']) audit.record(decision({ who }))
  await audit.flush()
  await use.remove((await use.stream())[2]?.[0])
  audit.record(decision({ who: 'dora' }))
  await audit.flush()
  expect((await use.entriesOf(audit)).map(({ who, code }) => who ?? code)).toEqual([
    'anna',
    'bob',
    'dora',
    'audit_broken',
  ])
  expect(use.logged().join('\n')).toContain('"code":"audit_broken"')
  expect(await use.verdict(audit)).toMatchObject({ ok: true, count: 4 })
})

test('that all of it was removed is found too', async () => {
  const audit = use.open()
  audit.record(decision())
  await audit.flush()
  await use.redis().del(use.fleet().keys.audit)
  audit.record(decision())
  await audit.flush()
  expect((await use.entriesOf(audit)).map(({ code }) => code)).toEqual([undefined, 'audit_broken'])
})

test('a chain that is not whole where it is cut is cut all the same, and that is told', async () => {
  const audit = use.open({ kept: 10 })
  for (let n = 0; n < 500; n++) audit.record(decision())
  await audit.flush()
  await use.remove((await use.stream())[100]?.[0])
  for (let n = 0; n < 1_000; n++) audit.record(decision())
  await audit.flush()
  expect((await use.entriesOf(audit)).map(({ code }) => code)).toContain('audit_broken')
})

test('while Redis is away decisions wait, nobody else does, and all of them are written when it is back', async () => {
  const client = connectRedis(use.server().url, 'fail-fast')
  client.on('error', () => {})
  await eventually(() => client.status === 'ready')
  const audit = use.open({ redis: client })
  audit.record(decision({ who: 'before' }))
  await audit.flush()
  await use.server().kill()
  for (let n = 0; n < 300; n++) audit.record(decision({ who: `away ${n}` }))
  await eventually(() => audit.counts.failures > 0)
  expect(audit.counts).toMatchObject({ written: 1, waiting: 300 })
  expect(use.logged().filter((line) => line.includes('"code":"audit_failed"'))).toHaveLength(1)
  await use.server().start()
  await audit.flush()
  const whose = (await use.entriesOf(audit)).map(({ who }) => who)
  expect(whose).toEqual(['before', ...Array.from({ length: 300 }, (_, n) => `away ${n}`)])
  expect(await use.verdict(audit)).toMatchObject({ ok: true, count: 301 })
  client.disconnect()
})

test('more than memory may hold is told, in numbers, when there is room again', async () => {
  const audit = use.open()
  for (let n = 0; n < 20_005; n++) audit.record(decision())
  expect(audit.counts).toMatchObject({ lost: 5, waiting: 20_000 })
  await audit.flush()
  const told = (await use.entriesOf(audit)).find(({ code }) => code === 'audit_failed')
  expect(told?.reason).toMatch(/^5 decisions/)
  expect(await use.verdict(audit)).toMatchObject({ ok: true, count: 20_001 })
})

test('a stop while Redis is away ends in time, and tells how many are in the log only', async () => {
  const client = connectRedis(use.server().url, 'fail-fast')
  await whenReady(client, 5_000)
  client.disconnect()
  const audit = use.open({ redis: client })
  audit.record(decision())
  const began = performance.now()
  expect(await audit.stop(300)).toBe(1)
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(use.logged().at(-1)).toContain('"left":1')
})
