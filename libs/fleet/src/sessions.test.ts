import { createSecretKey, type KeyObject } from 'node:crypto'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { digest } from './digest'
import { times } from './names'
import { type SessionOptions, sessionsOf } from './sessions'

const use = useFleet()
const key = createSecretKey(Buffer.alloc(32, 1))
const other = createSecretKey(Buffer.alloc(32, 2))
const anna = { subject: 'anna', teams: ['web'], role: 'deployer' } as const

const sessions = (options: SessionOptions = {}, macKeys: readonly [KeyObject, ...KeyObject[]] = [key]) =>
  sessionsOf(use.redis(), use.fleet().keys, macKeys, options)
const keyOf = (id: string) => use.fleet().keys.session(digest(id))

test('whoever has logged in is known, on every replica, until he logs out', async () => {
  const id = await sessions().begin(anna)
  expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/)
  await expect(sessions().verify(id)).resolves.toEqual(anna)
  await sessions().end(id)
  await expect(sessions().verify(id)).resolves.toBeUndefined()
})

test('what the browser keeps is not in Redis', async () => {
  const id = await sessions().begin(anna)
  const names = await use.redis().keys('*')
  const values = await Promise.all(
    names.filter((name) => name.includes(':session:')).map((name) => use.redis().get(name)),
  )
  expect(values).toHaveLength(1)
  expect(JSON.stringify([names, values])).not.toContain(id)
})

test('a login ends after eight hours, however much it is used', async () => {
  expect(times.session).toBe(8 * 60 * 60 * 1000)
  const id = await sessions().begin(anna)
  expect(await use.redis().pttl(keyOf(id))).toBeLessThanOrEqual(times.session)
  await use.redis().persist(keyOf(id))
  await expect(sessions({ now: () => Date.now() + times.session - 1000 }).verify(id)).resolves.toEqual(anna)
  await expect(sessions({ now: () => Date.now() + times.session }).verify(id)).resolves.toBeUndefined()
})

test.each(['', 'x', '*', 'x'.repeat(44), '../../x'])('nobody has logged in as %j', async (id) => {
  await expect(sessions().verify(id)).resolves.toBeUndefined()
  await expect(sessions().end(id)).resolves.toBeUndefined()
})

test.each<[string, (record: string) => string]>([
  ['with another role', (record) => record.replace('"deployer"', '"admin"')],
  ['without a code', (record) => record.slice(record.indexOf('.') + 1)],
  ['that is none', () => ''],
])('a record %s that somebody else has written is not believed, and told', async (_, change) => {
  const id = await sessions().begin(anna)
  await use.redis().set(keyOf(id), change((await use.redis().get(keyOf(id))) ?? ''))
  const told: string[] = []
  await expect(sessions({ onForged: (forged) => told.push(forged) }).verify(id)).resolves.toBeUndefined()
  expect(told).toEqual([digest(id)])
})

test('a record is not believed under another one’s name', async () => {
  const [admin, own] = [await sessions().begin({ ...anna, role: 'admin' }), await sessions().begin(anna)]
  await use.redis().copy(keyOf(admin), keyOf(own), 'REPLACE')
  await expect(sessions().verify(own)).resolves.toBeUndefined()
})

test('logins outlive a change of keys as long as the old one is believed', async () => {
  const id = await sessions().begin(anna)
  await expect(sessions({}, [other, key]).verify(id)).resolves.toEqual(anna)
  await expect(sessions({}, [other]).verify(id)).resolves.toBeUndefined()
})
