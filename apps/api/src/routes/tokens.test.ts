import { createSecretKey } from 'node:crypto'
import type { Identity } from '@deblox/actions/access/identity'
import { sessionsOf } from '@deblox/fleet/sessions'
import { tokensOf } from '@deblox/fleet/tokens'
import { pino } from 'pino'
import request from 'supertest'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { createApp } from '../app'
import { authenticateBy } from '../auth/authenticate'
import { throttleOf } from '../auth/throttle'
import { openGate } from '../testing/open-gate'
import { tokenRoutes } from './tokens'

const use = useFleet()
const key = createSecretKey(Buffer.alloc(32, 1))
const tokens = () => tokensOf(use.redis(), use.fleet().keys, [key])
const hours = 60 * 60 * 1000

/** The application with nothing but these routes, and with real identities. */
function app() {
  const { redis, keys } = use.fleet()
  const know = authenticateBy({
    auth: 'on',
    tokens: tokens(),
    sessions: sessionsOf(redis, keys, [key]),
    throttle: throttleOf(redis, keys.failedLogins),
    // A double of an authority: what it is given in base64 is what it says.
    verifyJwt: async (text) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Identity,
  })
  const log = pino({ level: 'silent' })
  return createApp({
    routes: tokenRoutes(tokens()),
    pages: [],
    edges: [],
    gate: { ...openGate, know },
    onDecided() {},
    log,
  })
}

type Who = Partial<Identity>

const asToken = async (who: Who = {}): Promise<string> =>
  (await tokens().create({ subject: 'root', teams: [], role: 'admin', ...who, createdBy: 'test', lifeMs: hours })).token

const asJwt = (who: Who = {}): string =>
  Buffer.from(JSON.stringify({ subject: 'anna', teams: ['web'], role: 'deployer', ...who })).toString('base64url')

const make = (credential: string, fields: object) =>
  request(app()).post('/v1/tokens').set('Authorization', `Bearer ${credential}`).send(fields)

const listed = async (
  credential: string,
  query = '',
): Promise<{ items: { id: string }[]; nextCursor: string | null }> => {
  const response = await request(app())
    .get(`/v1/tokens${query}`)
    .set('Authorization', `Bearer ${credential}`)
    .expect(200)
  return response.body as never
}

const bert = { subject: 'bert', role: 'operator', teams: ['web'], scopes: ['start-container'], expiresIn: 3600 }

test('an admin makes a token for somebody, who is known by it at once', async () => {
  const response = await make(await asToken(), bert).expect(201)
  expect(response.headers['cache-control']).toBe('no-store')
  expect(response.body).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{16}$/),
    token: expect.stringMatching(/^dbx_[0-9a-f]{16}_[\w-]{43}$/),
    subject: 'bert',
    role: 'operator',
    teams: ['web'],
    scopes: ['start-container'],
    createdBy: 'root',
    createdAt: expect.any(String),
    expiresAt: expect.any(String),
    lastUsedAt: null,
    revokedAt: null,
  })
  const { createdAt, expiresAt, token } = response.body as Record<string, string>
  expect(Date.parse(expiresAt ?? '') - Date.parse(createdAt ?? '')).toBe(hours)
  await expect(tokens().verify(token ?? '')).resolves.toMatchObject({ identity: { subject: 'bert' } })
})

test('a token ends after 90 days unless it is told otherwise', async () => {
  const { body } = await make(await asToken(), { subject: 'bert', role: 'viewer' }).expect(201)
  const { createdAt, expiresAt } = body as Record<string, string>
  expect(Date.parse(expiresAt ?? '') - Date.parse(createdAt ?? '')).toBe(90 * 24 * hours)
})

test.each<[string, object]>([
  ['no subject', { role: 'viewer' }],
  ['no role', { subject: 'bert' }],
  ['another role', { ...bert, role: 'root' }],
  ['a team for a subject', { ...bert, subject: 'team:web' }],
  ['everybody for a subject', { ...bert, subject: 'anonymous' }],
  ['the environment’s admin for a subject', { ...bert, subject: 'admin' }],
  ['a team that could own nothing', { ...bert, teams: ['t'.repeat(124)] }],
  ['a subject with a blank', { ...bert, subject: 'b ert' }],
  ['a subject with a line break', { ...bert, subject: 'bert\n' }],
  ['a team twice', { ...bert, teams: ['web', 'web'] }],
  ['a team that is none', { ...bert, teams: ['a b'] }],
  ['an unknown scope', { ...bert, scopes: ['all'] }],
  ['no life', { ...bert, expiresIn: 0 }],
  ['life for ever', { ...bert, expiresIn: 1e9 }],
  ['a life as text', { ...bert, expiresIn: '3600' }],
  ['an id', { ...bert, id: '0123456789abcdef' }],
  ['a digest', { ...bert, hash: 'a'.repeat(64) }],
  ['who made it', { ...bert, createdBy: 'root' }],
])('a token with %s is refused, and nothing is made', async (_, fields) => {
  const admin = await asToken()
  const { body } = await make(admin, fields).expect(400)
  expect(body).toMatchObject({ code: 'invalid_request' })
  await expect(tokens().list()).resolves.toHaveLength(1)
})

test('others make tokens for themselves alone, with no more than they have, and not by a token', async () => {
  await make(asJwt(), { subject: 'anna', role: 'deployer' }).expect(201)
  const refused: [string, object][] = [
    [asJwt(), { subject: 'anna', role: 'admin' }],
    [asJwt(), { subject: 'bert', role: 'viewer' }],
    [asJwt(), { subject: 'anna', role: 'viewer', teams: ['other'] }],
    [await asToken({ subject: 'anna', role: 'deployer' }), { subject: 'anna', role: 'viewer' }],
  ]
  const before = await tokens().list()
  for (const [credential, fields] of refused) {
    const { body } = await make(credential, fields).expect(403)
    expect(body).toMatchObject({ code: 'forbidden' })
  }
  const idsOf = (all: { id: string }[]) => all.map(({ id }) => id)
  expect(idsOf(await tokens().list())).toEqual(idsOf(before))
})

test('CVE-2025-64423: nobody is shown a secret, an admin all tokens, and everybody else his own', async () => {
  const admin = await asToken()
  const made = [await make(admin, bert), await make(asJwt(), { subject: 'anna', role: 'viewer' })]
  const [berts, annas] = made.map(({ body }) => body as { id: string; token: string })
  expect((await listed(admin)).items).toHaveLength(3)
  expect((await listed(asJwt())).items.map(({ id }) => id)).toEqual([annas?.id])
  expect((await listed(asJwt({ subject: 'carl', role: 'auditor' }))).items).toEqual([])
  const shown = JSON.stringify(await listed(admin))
  for (const token of [admin, berts?.token, annas?.token]) expect(shown).not.toContain(token?.slice(-43))
  expect(shown).not.toMatch(/hash|secret|[0-9a-f]{64}/)
})

test('a long list comes in pages', async () => {
  const admin = await asToken()
  for (const subject of ['a', 'b', 'c']) await make(admin, { subject, role: 'viewer' }).expect(201)
  const first = await listed(admin, '?limit=3')
  expect(first.items).toHaveLength(3)
  const second = await listed(admin, `?limit=3&cursor=${first.nextCursor}`)
  expect(second).toMatchObject({ items: [{ subject: 'c' }], nextCursor: null })
})

test('a token is revoked by an admin and by whose it is; to others it is as if it were not there', async () => {
  const admin = await asToken()
  const revoke = (id: string, credential: string) =>
    request(app()).delete(`/v1/tokens/${id}`).set('Authorization', `Bearer ${credential}`)
  const [one, other] = [await asToken({ subject: 'anna', role: 'viewer' }), await asToken({ subject: 'anna' })]
  const idOf = (token: string) => token.slice(4, 20)
  const foreign = await revoke(idOf(one), asJwt({ subject: 'carl' })).expect(404)
  const missing = await revoke('0'.repeat(16), asJwt({ subject: 'carl' })).expect(404)
  expect(foreign.text.replace(idOf(one), '0'.repeat(16))).toBe(missing.text)
  await expect(tokens().verify(one)).resolves.toBeDefined()
  await revoke(idOf(one), asJwt()).expect(204)
  await revoke(idOf(other), admin).expect(204)
  for (const token of [one, other]) {
    await expect(tokens().verify(token)).resolves.toBeUndefined()
    await request(app()).get('/v1/me').set('Authorization', `Bearer ${token}`).expect(401)
  }
  await revoke('no-id', admin).expect(400)
})

test('everybody may ask who he is', async () => {
  const ask = async (credential: string) => {
    const response = await request(app()).get('/v1/me').set('Authorization', `Bearer ${credential}`).expect(200)
    return response.body as object
  }
  await expect(ask(await asToken())).resolves.toEqual({
    subject: 'root',
    role: 'admin',
    teams: [],
    via: 'token',
    auth: 'on',
  })
  const anna = { subject: 'anna', role: 'viewer', teams: ['web'], scopes: ['GET /v1/me'], via: 'jwt', auth: 'on' }
  await expect(ask(asJwt({ role: 'viewer', scopes: ['GET /v1/me'] }))).resolves.toEqual(anna)
})
