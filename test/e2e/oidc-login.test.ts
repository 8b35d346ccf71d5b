import type { OidcSettings } from '../../apps/api/src/config-oidc'
import { useFleet } from '../support/fleet-on-redis'
import { freePort } from '../support/free-port'
import { Authority } from '../support/oidc'
import { Browser } from '../support/oidc-browser'
import { Site } from '../support/oidc-site'

const use = useFleet()
let authority: Authority
let site: Site
let port: number
let browser: Browser

const groups = { anna: ['ops', 'night'], root: ['admins'], guest: ['other'] }
const url = () => `http://127.0.0.1:${port}`
const settings = (): OidcSettings => ({
  issuer: authority.issuer,
  teamsClaim: 'groups',
  roles: [
    { group: 'ops', role: 'operator' },
    { group: 'admins', role: 'admin' },
  ],
  client: { id: 'deblox', secret: 'of-the-test', scope: 'openid', publicUrl: new URL(url()) },
})

beforeAll(async () => {
  port = await freePort()
  authority = await Authority.start({ redirectUri: `${url()}/auth/callback`, groups })
}, 30_000)
beforeEach(async () => {
  browser = new Browser()
  site = await Site.open({ fleet: use.fleet(), port, settings: settings() })
})
afterEach(() => site.close())
afterAll(() => authority.stop())

const isCallback = ({ pathname }: URL): boolean => pathname === '/auth/callback'

/** Says at the authority who one is; returns the address to which it sends the browser back, not gone to yet. */
const atAuthority = (name: string, returnTo = '/', by = browser): Promise<URL> =>
  by.follow(`${url()}/auth/login?returnTo=${encodeURIComponent(returnTo)}`, name, isCallback)

const logIn = async (name: string, returnTo = '/', by = browser): Promise<Response> =>
  by.send((await atAuthority(name, returnTo, by)).href)

const session = (by = browser): string => by.cookies(url()).get('__Host-deblox') ?? ''
const whoami = async (headers: Record<string, string> = {}, method = 'GET', by = browser) => {
  const response = await by.send(`${url()}/whoami`, { method, headers })
  return { status: response.status, body: (await response.json()) as { code?: string } }
}

test('whoever logs in at the authority is known by the cookie, with his teams and his role', async () => {
  const response = await logIn('anna', '/containers?q=a%20b#top')
  expect([response.status, response.headers.get('location')]).toEqual([303, '/containers?q=a%20b#top'])
  expect(response.headers.get('cache-control')).toBe('no-store')
  await expect(whoami()).resolves.toEqual({
    status: 200,
    body: { identity: { subject: 'anna', teams: ['ops', 'night'], role: 'operator' }, via: 'session' },
  })
})

test('the authority is asked for a code with PKCE, a state and a nonce', async () => {
  const response = await browser.send(`${url()}/auth/login`)
  const asked = new URL(response.headers.get('location') ?? '')
  expect(asked.href).toContain(`${authority.issuer}/auth?`)
  expect(Object.fromEntries(asked.searchParams)).toEqual({
    client_id: 'deblox',
    response_type: 'code',
    redirect_uri: `${url()}/auth/callback`,
    scope: 'openid',
    code_challenge_method: 'S256',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
  })
})

test('cookies are this host’s alone, not for scripts, not sent by other sites’ pages, and not for ever', async () => {
  await logIn('anna')
  const [begun, over, kept] = browser.set.filter((line) => line.startsWith('__Host-'))
  expect(begun).toMatch(/^__Host-deblox-login=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/)
  expect(over).toBe('__Host-deblox-login=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0')
  expect(kept).toMatch(/^__Host-deblox=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=28800$/)
})

test('a logout ends it on every replica, also for whoever has copied the cookie', async () => {
  await logIn('anna')
  const copied = { Cookie: `__Host-deblox=${session()}` }
  expect((await site.whoami(copied)).status).toBe(200)
  const response = await browser.send(`${url()}/auth/logout`, { method: 'POST', headers: { Origin: url() } })
  expect(response.status).toBe(204)
  expect(session()).toBe('')
  await expect(site.whoami(copied)).resolves.toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
})

test('a login ends the one that was there before, and never takes over what the browser came with', async () => {
  browser.cookies(url()).set('__Host-deblox', 'x'.repeat(43))
  await logIn('anna')
  const first = session()
  expect(first).not.toBe('x'.repeat(43))
  await logIn('anna')
  expect(session()).not.toBe(first)
  expect((await site.whoami({ Cookie: `__Host-deblox=${first}` })).status).toBe(401)
  expect((await whoami()).status).toBe(200)
})

test('somebody without a role is not let in', async () => {
  const response = await logIn('guest')
  expect([response.status, await response.json()]).toMatchObject([403, { code: 'forbidden' }])
  expect(session()).toBe('')
})

describe('what comes back from the authority', () => {
  const expectNobody = async (response: Response, by = browser): Promise<void> => {
    expect([response.status, await response.json()]).toMatchObject([401, { code: 'unauthenticated' }])
    expect(session(by)).toBe('')
  }

  test('is good once', async () => {
    const back = await atAuthority('anna')
    expect((await browser.send(back.href)).status).toBe(303)
    browser.cookies(url()).delete('__Host-deblox')
    await expectNobody(await browser.send(back.href))
  })

  test('is good once also for whoever has kept the cookie of the login', async () => {
    const back = await atAuthority('anna')
    const kept = browser.cookies(url()).get('__Host-deblox-login') ?? ''
    await browser.send(back.href)
    browser.cookies(url()).delete('__Host-deblox')
    browser.cookies(url()).set('__Host-deblox-login', kept)
    await expectNobody(await browser.send(back.href))
  })

  test('is good only in the browser in which the login began', async () => {
    const back = await atAuthority('anna')
    const other = new Browser()
    await expectNobody(await other.send(back.href), other)
    await other.send(`${url()}/auth/login`)
    await expectNobody(await other.send(back.href), other)
  })

  test.each<[string, (back: URL) => void]>([
    ['another state', ({ searchParams }) => searchParams.set('state', 'x'.repeat(43))],
    ['no state', ({ searchParams }) => searchParams.delete('state')],
    ['another code', ({ searchParams }) => searchParams.set('code', 'x'.repeat(43))],
    ['another issuer', ({ searchParams }) => searchParams.set('iss', 'https://evil.test')],
    ['no issuer', ({ searchParams }) => searchParams.delete('iss')],
    ['an error', ({ searchParams }) => searchParams.set('error', 'access_denied')],
  ])('is refused with %s', async (_, change) => {
    const back = await atAuthority('anna')
    change(back)
    await expectNobody(await browser.send(back.href))
  })

  test('is refused with a cookie that the API has not written, or one of a session', async () => {
    const back = await atAuthority('anna')
    const jar = browser.cookies(url())
    const kept = jar.get('__Host-deblox-login') ?? ''
    const changed = Buffer.from(kept, 'base64url').toString().replace('"returnTo":"/"', '"returnTo":"//evil.test"')
    expect(changed).toContain('evil')
    for (const cookie of [Buffer.from(changed).toString('base64url'), '', 'x', kept.slice(1)]) {
      jar.set('__Host-deblox-login', cookie)
      await expectNobody(await browser.send(back.href))
    }
  })

  test('leads to no other site', async () => {
    for (const returnTo of [
      '//evil.test',
      'https://evil.test',
      '/\\evil.test',
      '/\t/evil.test',
      'javascript:alert(1)',
    ]) {
      const response = await logIn('anna', returnTo)
      expect([returnTo, response.status, response.headers.get('location')]).toEqual([returnTo, 303, '/'])
    }
  })
})

describe('a page of another site', () => {
  const refused = { status: 403, body: { code: 'csrf_refused' } }

  test.each<[string, Record<string, string>]>([
    ['that says so', { 'Sec-Fetch-Site': 'cross-site' }],
    ['on a neighbouring host', { 'Sec-Fetch-Site': 'same-site' }],
    ['in a browser that tells its origin alone', { Origin: 'https://evil.test' }],
    ['that hides its origin', { Origin: 'null' }],
    ['on another port', { Origin: 'http://127.0.0.1:1' }],
    ['that says nothing', {}],
  ])('%s changes nothing by the cookie', async (_, headers) => {
    await logIn('anna')
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      await expect(whoami(headers, method)).resolves.toMatchObject(refused)
    }
    expect((await browser.send(`${url()}/auth/logout`, { method: 'POST', headers })).status).toBe(403)
    expect((await whoami()).status).toBe(200)
  })

  test('is told from our own, and from what somebody has typed', async () => {
    await logIn('anna')
    const own: Record<string, string>[] = [
      { 'Sec-Fetch-Site': 'same-origin' },
      { 'Sec-Fetch-Site': 'none' },
      { Origin: url() },
    ]
    for (const headers of own) expect((await whoami(headers, 'POST')).status).toBe(200)
  })
})

test('a token and the cookie at once are refused: it would not be clear who asks', async () => {
  await logIn('anna')
  const lifeMs = 60_000
  const { token } = await site.tokens.create({ subject: 'bert', teams: [], role: 'viewer', createdBy: 'root', lifeMs })
  const Authorization = `Bearer ${token}`
  await expect(whoami({ Authorization })).resolves.toMatchObject({ status: 401 })
  expect((await site.whoami({ Authorization })).status).toBe(200)
})
