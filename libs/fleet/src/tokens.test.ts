import { createSecretKey, type KeyObject } from 'node:crypto'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { times } from './names'
import { connectRedis, whenReady } from './redis'
import { tokenCounts, type TokenOptions, tokensOf } from './tokens'

const use = useFleet()
const key = createSecretKey(Buffer.alloc(32, 1))
const stolen = createSecretKey(Buffer.alloc(32, 2))

/** The tokens as one replica sees them. */
const tokens = (options: TokenOptions = {}, macKeys: readonly [KeyObject, ...KeyObject[]] = [key]) =>
  tokensOf(use.redis(), use.fleet().keys, macKeys, options)

const hours = 60 * 60 * 1000
const anna = { subject: 'anna', teams: ['web'], role: 'deployer', createdBy: 'root', lifeMs: hours } as const
const stored = async (id: string): Promise<string> => (await use.redis().hget(use.fleet().keys.tokens, id)) ?? ''

test('who comes with a token is known by it, on every replica', async () => {
  const { token, view } = await tokens().create({ ...anna, scopes: ['start-container'] })
  const identity = { subject: 'anna', teams: ['web'], role: 'deployer', scopes: ['start-container'] }
  await expect(tokens().verify(token)).resolves.toEqual({ id: view.id, identity })
})

test('without scopes there is no limit to them, which is not the same as none', async () => {
  const { token } = await tokens().create(anna)
  expect((await tokens().verify(token))?.identity).not.toHaveProperty('scopes')
  const none = await tokens().create({ ...anna, scopes: [] })
  await expect(tokens().verify(none.token)).resolves.toMatchObject({ identity: { scopes: [] } })
})

test('neither an unknown token, nor another secret, nor another one’s id is good', async () => {
  const [one, other] = [await tokens().create(anna), await tokens().create({ ...anna, subject: 'bert' })]
  const [secret, otherSecret] = [one.token.slice(-43), other.token.slice(-43)]
  for (const wrong of [
    `dbx_${'0'.repeat(16)}_${secret}`,
    `dbx_${one.view.id}_${otherSecret}`,
    `dbx_${one.view.id}_${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`,
    `dbx_${one.view.id}_`,
    one.view.id,
    '',
  ]) {
    await expect(tokens().verify(wrong)).resolves.toBeUndefined()
  }
})

test('a token that is revoked on one replica is good on none from then on, and stays listed', async () => {
  const { token, view } = await tokens().create(anna)
  const replica = tokens()
  await expect(replica.verify(token)).resolves.toBeDefined()
  await tokens().revoke(view.id)
  await expect(replica.verify(token)).resolves.toBeUndefined()
  const [listed] = await replica.list()
  expect(listed).toMatchObject({ id: view.id, revokedAt: expect.stringMatching(/^\d{4}-/) })
  await expect(replica.revoke(view.id)).resolves.toBeUndefined()
  await expect(replica.list()).resolves.toEqual([listed])
})

test('a token is good until it expires, and not a moment longer', async () => {
  const made = 1_700_000_000_000
  const { token, view } = await tokens({ now: () => made }).create(anna)
  expect(view.expiresAt).toBe(new Date(made + hours).toISOString())
  await expect(tokens({ now: () => made + hours - 1 }).verify(token)).resolves.toBeDefined()
  await expect(tokens({ now: () => made + hours }).verify(token)).resolves.toBeUndefined()
})

test('one that expired long ago is no longer listed once another is made', async () => {
  const { view } = await tokens({ now: () => 0 }).create(anna)
  const next = await tokens({ now: () => hours + times.expiredToken }).create(anna)
  await expect(tokens().list()).resolves.toHaveLength(2)
  await tokens({ now: () => hours + times.expiredToken + 1 }).create(anna)
  const ids = (await tokens().list()).map(({ id }) => id)
  expect(ids).toHaveLength(2)
  expect(ids).toContain(next.view.id)
  expect(ids).not.toContain(view.id)
})

test('CVE-2025-64423: what is listed or shown of tokens has neither a secret nor its digest', async () => {
  const { token, view } = await tokens().create(anna)
  const digest = /"hash":"([0-9a-f]{64})"/.exec(await stored(view.id))?.[1] as string
  expect(digest).toBeDefined()
  const shown = JSON.stringify([await tokens().list(), await tokens().get(view.id), view])
  expect(shown).toContain(view.id)
  expect(shown).not.toContain(token.slice(-43))
  expect(shown).not.toContain(digest)
  expect(JSON.stringify(await use.redis().hgetall(use.fleet().keys.tokens))).not.toContain(token.slice(-43))
})

describe('a record that somebody else has written', () => {
  const forge = (id: string, text: string) => use.redis().hset(use.fleet().keys.tokens, id, text)

  test.each<[string, (record: string) => Promise<string> | string]>([
    ['without a code', (record) => record.slice(record.indexOf('.') + 1)],
    ['with an empty code', (record) => record.slice(record.indexOf('.'))],
    ['with another role', (record) => record.replace('"deployer"', '"admin"')],
    ['with another subject', (record) => record.replace('"anna"', '"root"')],
    ['that lives longer', (record) => record.replace(/"expiresAt":"\d{4}/, '"expiresAt":"9999')],
    ['that is no record', () => 'x'],
  ])('%s is as good as not there, and told', async (_, change) => {
    const { token, view } = await tokens().create(anna)
    const changed = await change(await stored(view.id))
    expect(changed).not.toBe(await stored(view.id))
    await forge(view.id, changed)
    const told: string[] = []
    const replica = tokens({ onForged: (id) => told.push(id) })
    await expect(replica.verify(token)).resolves.toBeUndefined()
    await expect(replica.list()).resolves.toEqual([])
    await expect(replica.get(view.id)).rejects.toMatchObject({ code: 'token_not_found' })
    await expect(replica.revoke(view.id)).rejects.toMatchObject({ code: 'token_not_found' })
    expect(new Set(told)).toEqual(new Set([view.id]))
  })

  test('under another key is not believed', async () => {
    const { token } = await tokens({}, [stolen]).create({ ...anna, role: 'admin' })
    await expect(tokens().verify(token)).resolves.toBeUndefined()
  })

  test('is not believed under another token’s id, though the API wrote it', async () => {
    const [admin, own] = [await tokens().create({ ...anna, role: 'admin' }), await tokens().create(anna)]
    await forge(own.view.id, await stored(admin.view.id))
    await expect(tokens().verify(own.token)).resolves.toBeUndefined()
    await expect(tokens().verify(`dbx_${own.view.id}_${admin.token.slice(-43)}`)).resolves.toBeUndefined()
  })
})

test('tokens outlive a change of keys as long as the old one is believed', async () => {
  const { token, view } = await tokens().create(anna)
  await expect(tokens({}, [stolen, key]).verify(token)).resolves.toMatchObject({ id: view.id })
  await expect(tokens({}, [stolen]).verify(token)).resolves.toBeUndefined()
})

describe('the last use', () => {
  const lastUse = async (): Promise<string | null | undefined> => (await tokens().list())[0]?.lastUsedAt

  test('is written at most once a minute, however many replicas there are', async () => {
    let now = Date.now()
    const clock = { now: () => now }
    const { token } = await tokens(clock).create(anna)
    await expect(lastUse()).resolves.toBeNull()
    const [one, other] = [tokens(clock), tokens(clock)]
    const first = now
    await one.verify(token)
    await eventually(lastUse, (at) => at === new Date(first).toISOString())

    now += times.tokenUse - 1
    const [before, asked] = [await commandsOf('hset'), await commandsOf('evalsha')]
    for (const replica of [one, other, other]) await replica.verify(token)
    // The one that did not know it has asked by then, once.
    await eventually(async () => (await commandsOf('evalsha')) === asked + 1)
    await expect(lastUse()).resolves.toBe(new Date(first).toISOString())
    expect(await commandsOf('hset')).toBe(before)

    now += 1
    await other.verify(token)
    await eventually(lastUse, (at) => at === new Date(now).toISOString())
  })

  test('is not written for a wrong secret', async () => {
    const { view } = await tokens().create(anna)
    await tokens().verify(`dbx_${view.id}_${'x'.repeat(43)}`)
    await expect(lastUse()).resolves.toBeNull()
  })

  test('that is no time is told as none', async () => {
    const { view } = await tokens().create(anna)
    await use.redis().hset(use.fleet().keys.tokenUses, view.id, '1e300')
    await expect(lastUse()).resolves.toBeNull()
  })

  /** How often Redis has carried out a command. */
  async function commandsOf(name: string): Promise<number> {
    const stats = await use.redis().info('commandstats')
    return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }
})

test('there are only so many of one subject, but those that have ended do not count', async () => {
  const made = await Promise.all(Array.from({ length: tokenCounts.subject }, () => tokens().create(anna)))
  await expect(tokens().create(anna)).rejects.toMatchObject({ code: 'quota_exceeded', status: 403 })
  await expect(tokens().create({ ...anna, subject: 'bert' })).resolves.toBeDefined()
  await tokens().revoke(made[0]?.view.id as string)
  await expect(tokens().create(anna)).resolves.toBeDefined()
})

describe('the first token', () => {
  test('is made and told once, by one of the replicas that start at the same moment', async () => {
    const told: string[] = []
    const replicas = Array.from({ length: 20 }, () => tokens())
    const made = await Promise.all(replicas.map((replica) => replica.createFirst((token) => told.push(token), hours)))
    expect(told).toHaveLength(1)
    expect(made.filter(Boolean)).toHaveLength(1)
    await expect(tokens().verify(told[0] as string)).resolves.toMatchObject({ identity: { role: 'admin' } })
  })

  test('is not made where there is a token, also a revoked one', async () => {
    const { view } = await tokens().create(anna)
    await tokens().revoke(view.id)
    const told: string[] = []
    await expect(tokens().createFirst((token) => told.push(token), hours)).resolves.toBeUndefined()
    expect(told).toEqual([])
  })

  test('is made where there are only records of somebody else', async () => {
    await tokens({}, [stolen]).create(anna)
    const told: string[] = []
    await tokens().createFirst((token) => told.push(token), hours)
    expect(told).toHaveLength(1)
  })

  test('is made by another replica where the one that began to has died', async () => {
    const broken = () => {
      throw new TypeError('killed')
    }
    await expect(tokens().createFirst(broken, hours)).rejects.toThrow('killed')
    expect(await use.redis().pttl(use.fleet().keys.firstToken)).toBeGreaterThan(0)
    await use.redis().del(use.fleet().keys.firstToken)
    await expect(tokens().createFirst(() => {}, hours)).resolves.toBeDefined()
  })
})

test('with Redis away it is said that nobody can be known', async () => {
  const { token } = await tokens().create(anna)
  const hasty = connectRedis(use.server().url, 'fail-fast')
  hasty.on('error', () => {})
  await whenReady(hasty, 10_000)
  const replica = tokensOf(hasty, use.fleet().keys, [key])
  await expect(replica.verify(token)).resolves.toBeDefined()
  await use.server().pause()
  await expect(replica.verify(token)).rejects.toMatchObject({ code: 'redis_unavailable', status: 503 })
  use.server().resume()
  hasty.disconnect()
})
