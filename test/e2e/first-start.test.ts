import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { newToken } from '@deblox/fleet/token-text'
import { Api } from '../support/api'
import { eventually } from '../support/eventually'
import { freePort } from '../support/free-port'
import { curl, send } from '../support/http'
import { type RunningProcess, startProgram } from '../support/processes'
import { startRedis, type RedisServer } from '../support/redis'

let redis: RedisServer
let state: string
let fleets = 0
let prefix: string
const started: RunningProcess[] = []

beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'dbx-'))
  prefix = `fleet-${++fleets}`
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((api) => api.kill()))
  await rm(state, { recursive: true, force: true })
})
afterAll(() => redis.remove())

/** A replica of this test's fleet, not ready yet. */
async function start(env: Record<string, string> = {}): Promise<Api> {
  const api = new Api('api', await freePort(), {
    REDIS_URL: redis.url,
    DEBLOX_PREFIX: prefix,
    DEBLOX_STATE_DIR: state,
    LOG_LEVEL: 'debug',
    ...env,
  })
  started.push(api.process)
  return api
}

async function ready(env: Record<string, string> = {}): Promise<Api> {
  const api = await start(env)
  await api.ready()
  return api
}

const whoami = (api: Api, token: string) =>
  send(`${api.url}/v1/me`, 'GET', undefined, { Authorization: `Bearer ${token}` })

const tokensIn = ({ process: { lines } }: Api): string[] => lines.join('\n').match(/dbx_[0-9a-f]{16}_[\w-]{43}/g) ?? []

describe('a first start without any identity', () => {
  test('prints one admin token once, though replicas start at the same moment, and it is good on all', async () => {
    const replicas = await Promise.all([start(), start(), start()])
    await Promise.all(replicas.map((api) => api.ready()))
    const printed = replicas.flatMap(tokensIn)
    expect(printed).toHaveLength(1)
    for (const api of replicas) {
      const { status, body } = await whoami(api, printed[0] as string)
      expect({ status, body }).toMatchObject({ status: 200, body: { subject: 'admin', role: 'admin', via: 'token' } })
    }
    expect(tokensIn(await ready())).toEqual([])
  }, 60_000)

  test('CVE-2026-45631: has no default: two fleets have different tokens, and different keys', async () => {
    const one = await ready()
    const other = await ready({ DEBLOX_PREFIX: `${prefix}-other`, DEBLOX_STATE_DIR: join(state, 'other') })
    const [mine, foreign] = [one, other].map((api) => tokensIn(api)[0] as string) as [string, string]
    expect(mine).not.toBe(foreign)
    expect((await whoami(one, foreign)).status).toBe(401)
    expect((await whoami(other, mine)).status).toBe(401)
    const kept = await Promise.all(
      [state, join(state, 'other')].map((folder) => readFile(join(folder, 'api-keys.json'))),
    )
    expect(kept[0]?.equals(kept[1] as Buffer)).toBe(false)
  }, 60_000)
})

test('a token that is revoked on one replica is refused by the other within 5 s', async () => {
  const [one, other] = [await ready(), await ready()]
  const admin = [...tokensIn(one), ...tokensIn(other)][0] as string
  const asAdmin = { Authorization: `Bearer ${admin}` }
  const made = await send(`${one.url}/v1/tokens`, 'POST', { subject: 'anna', role: 'viewer' }, asAdmin)
  expect(made.status).toBe(201)
  const { id, token } = made.body as { id: string; token: string }
  expect((await whoami(other, token)).status).toBe(200)
  expect((await send(`${one.url}/v1/tokens/${id}`, 'DELETE', undefined, asAdmin)).status).toBe(204)
  const began = performance.now()
  await eventually(async () => (await whoami(other, token)).status === 401, undefined, { within: 5_000 })
  expect(performance.now() - began).toBeLessThan(5_000)
}, 60_000)

describe('DEBLOX_ADMIN_TOKEN', () => {
  test('is good at once; no other is printed, and it is in no log, no file and not in Redis', async () => {
    const { token } = newToken()
    const api = await ready({ DEBLOX_ADMIN_TOKEN: token })
    expect((await whoami(api, token)).body).toMatchObject({ role: 'admin', via: 'token' })
    expect((await whoami(api, newToken().token)).status).toBe(401)
    expect(tokensIn(api)).toEqual([])
    const secret = token.slice(-43)
    expect(api.process.lines.join('\n')).not.toContain(secret)
    for (const file of await readdir(state)) expect(await readFile(join(state, file), 'utf8')).not.toContain(secret)
    const client = new Redis(redis.url)
    const dumps = await Promise.all((await client.keys(`${prefix}:*`)).map((key) => client.dumpBuffer(key)))
    client.disconnect()
    expect(Buffer.concat(dumps.flatMap((dump) => dump ?? [])).includes(secret)).toBe(false)
  }, 60_000)

  test('of another form stops the start in one line that does not show it', async () => {
    const wrong = `${newToken().token}x`
    const program = startProgram('api', { REDIS_URL: redis.url, DEBLOX_ADMIN_TOKEN: wrong, PORT: '0' })
    expect(await program.exited).toMatchObject({ code: 1 })
    expect(program.lines).toEqual([
      expect.stringMatching(/^deblox api: DEBLOX_ADMIN_TOKEN: expected .*got another value$/),
    ])
  }, 30_000)
})

describe('AUTH=off', () => {
  test('does not start for others than this machine', async () => {
    const program = startProgram('api', { REDIS_URL: redis.url, AUTH: 'off', HOST: '0.0.0.0', PORT: '0' })
    expect(await program.exited).toMatchObject({ code: 1 })
    expect(program.lines).toEqual([
      'deblox api: AUTH: expected on, as HOST is not a loopback address, got "off" with HOST "0.0.0.0"',
    ])
  }, 30_000)

  test('makes everybody on this machine an admin, says so, lets no page of others in, and makes no tokens for later', async () => {
    const api = await ready({ AUTH: 'off' })
    expect(tokensIn(api)).toEqual([])
    expect(api.process.lines.join('\n')).toContain('AUTH is off')
    expect((await send(`${api.url}/v1/me`, 'GET')).body).toMatchObject({ role: 'admin', via: 'off', auth: 'off' })
    expect((await send(`${api.url}/readyz`, 'GET')).body.warnings).toEqual([expect.stringContaining('AUTH is off')])
    const asked = [`${api.url}/v1/tokens`, '--data', JSON.stringify({ subject: 'eve', role: 'admin' })]
    for (const header of ['Host: evil.test', 'Origin: https://evil.test', 'Sec-Fetch-Site: cross-site']) {
      const { stdout } = await curl(['--silent', '--header', header, ...asked])
      expect(JSON.parse(stdout)).toMatchObject({ status: 403, code: 'csrf_refused' })
    }
    const { stdout } = await curl(['--silent', ...asked])
    expect(JSON.parse(stdout)).toMatchObject({ status: 403, code: 'forbidden' })
  }, 60_000)
})
