import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Api } from '../support/api'
import { freePort } from '../support/free-port'
import { send } from '../support/http'
import { Authority } from '../support/oidc'
import { Browser } from '../support/oidc-browser'
import { startRedis, type RedisServer } from '../support/redis'

let redis: RedisServer
let state: string
let authority: Authority
let api: Api

beforeAll(async () => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  redis = await startRedis()
  state = await mkdtemp(join(tmpdir(), 'dbx-'))
  authority = await Authority.start({
    redirectUri: `${url}/auth/callback`,
    groups: { anna: ['web', 'ops'], robot: ['admins'], guest: [] },
  })
  api = new Api('api', port, {
    REDIS_URL: redis.url,
    DEBLOX_STATE_DIR: state,
    DEBLOX_PUBLIC_URL: url,
    DEBLOX_OIDC_ISSUER: authority.issuer,
    DEBLOX_OIDC_AUDIENCE: authority.audience,
    DEBLOX_OIDC_CLIENT_ID: 'deblox',
    DEBLOX_OIDC_CLIENT_SECRET: 'of-the-test',
    DEBLOX_OIDC_ROLES: 'admins=admin,ops=operator',
  })
  await api.ready()
}, 60_000)

afterAll(async () => {
  await api.process.kill()
  await authority.stop()
  await rm(state, { recursive: true, force: true })
  await redis.remove()
})

const isBack = ({ pathname }: URL): boolean => pathname === '/auth/callback'

async function logIn(name: string): Promise<{ browser: Browser; response: Response }> {
  const browser = new Browser()
  const back = await browser.follow(`${api.url}/auth/login?returnTo=/docs`, name, isBack)
  return { browser, response: await browser.send(back.href) }
}

const me = async (browser: Browser) => {
  const response = await browser.send(`${api.url}/v1/me`)
  return { status: response.status, body: (await response.json()) as object }
}

test('a person logs in with a browser, makes a token for himself, and logs out; the token goes on', async () => {
  const { browser, response } = await logIn('anna')
  expect([response.status, response.headers.get('location')]).toEqual([303, '/docs'])
  const anna = { subject: 'anna', role: 'operator', teams: ['web', 'ops'] }
  await expect(me(browser)).resolves.toEqual({ status: 200, body: { ...anna, via: 'session', auth: 'on' } })

  const cookie = [...browser.cookies(api.url)].map(([name, value]) => `${name}=${value}`).join('; ')
  const wanted = { subject: 'anna', role: 'viewer' }
  const make = (headers: Record<string, string>) =>
    send(`${api.url}/v1/tokens`, 'POST', wanted, { Cookie: cookie, ...headers })
  const fromElsewhere = await make({ Origin: 'https://evil.test' })
  expect([fromElsewhere.status, fromElsewhere.body]).toMatchObject([403, { code: 'csrf_refused' }])
  const made = await make({ Origin: api.url })
  expect([made.status, made.body]).toMatchObject([201, { subject: 'anna', role: 'viewer', teams: ['web', 'ops'] }])

  await browser.send(`${api.url}/auth/logout`, { method: 'POST', headers: { Origin: api.url } })
  expect((await send(`${api.url}/v1/me`, 'GET', undefined, { Cookie: cookie })).status).toBe(401)
  const byToken = await send(`${api.url}/v1/me`, 'GET', undefined, { Authorization: `Bearer ${made.body.token}` })
  expect(byToken.body).toEqual({ subject: 'anna', role: 'viewer', teams: ['web', 'ops'], via: 'token', auth: 'on' })
}, 30_000)

test('a program comes with a JWT of the authority', async () => {
  const Authorization = `Bearer ${await authority.accessToken()}`
  const { status, body } = await send(`${api.url}/v1/me`, 'GET', undefined, { Authorization })
  expect([status, body]).toEqual([200, { subject: 'robot', role: 'admin', teams: ['admins'], via: 'jwt', auth: 'on' }])
})

test('whom no group lets in is told so, and is nobody', async () => {
  const { browser, response } = await logIn('guest')
  expect([response.status, await response.json()]).toMatchObject([403, { code: 'forbidden' }])
  expect((await me(browser)).status).toBe(401)
})

test('where there is an authority no first token is printed, and the client’s secret is in no log', () => {
  const lines = api.process.lines.join('\n')
  expect(lines).not.toMatch(/dbx_|of-the-test/)
})
