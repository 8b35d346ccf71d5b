import { type CryptoKey, exportSPKI, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose'
import type { OidcSettings } from '../../apps/api/src/config-oidc'
import { eventually } from '../support/eventually'
import { useFleet } from '../support/fleet-on-redis'
import { freePort } from '../support/free-port'
import { Authority, newKey } from '../support/oidc'
import { listener, Site, type Told } from '../support/oidc-site'

const use = useFleet()
let authority: Authority
let site: Site

const settingsOf = (more: Partial<OidcSettings> = {}): OidcSettings => ({
  issuer: authority.issuer,
  audience: authority.audience,
  teamsClaim: 'groups',
  roles: [
    { group: 'ops', role: 'operator' },
    { group: 'admins', role: 'admin' },
  ],
  ...more,
})

const open = async (more: Partial<OidcSettings> = {}) =>
  Site.open({ fleet: use.fleet(), port: await freePort(), settings: settingsOf(more) })

beforeAll(async () => {
  authority = await Authority.start({
    redirectUri: 'http://127.0.0.1:1/auth/callback',
    groups: { robot: ['ops', 'night'] },
  })
}, 30_000)
beforeEach(async () => {
  site = await open()
})
afterEach(() => site.close())
afterAll(() => authority.stop())

const now = () => Math.floor(Date.now() / 1000)
const claims = (): JWTPayload => ({
  iss: authority.issuer,
  aud: authority.audience,
  sub: 'anna',
  groups: ['ops'],
  iat: now(),
  exp: now() + 60,
})

/** A JWT as the authority itself would sign it, but for what is changed. */
const signed = (
  changed: JWTPayload = {},
  header: Partial<JWTHeaderParameters> = {},
  key: CryptoKey | Uint8Array = authority.key.privateKey,
): Promise<string> =>
  new SignJWT(JSON.parse(JSON.stringify({ ...claims(), ...changed })) as JWTPayload)
    .setProtectedHeader({ alg: 'ES256', kid: authority.key.kid, typ: 'at+jwt', ...header })
    .sign(key)

/** One put together by hand, for what no library would sign. */
const unsigned = (header: object, changed: JWTPayload = {}, signature = ''): string =>
  [header, { ...claims(), ...changed }].map(encoded).concat(signature).join('.')
const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')

const expectRefused = ({ status, body }: Told, code = 'unauthenticated', expected = 401): void => {
  expect({ status, code: body.code }).toEqual({ status: expected, code })
  expect(body).not.toHaveProperty('identity')
  expect(site.served).toBe(0)
}

describe('an access token of the authority', () => {
  test('says who comes with it, his teams and his role', async () => {
    await expect(site.withBearer(await authority.accessToken())).resolves.toEqual({
      status: 200,
      body: { identity: { subject: 'robot', teams: ['ops', 'night'], role: 'operator' }, via: 'jwt' },
    })
  })

  test('for somebody else is refused', async () => {
    expectRefused(await site.withBearer(await authority.accessToken('https://other.test')))
  })

  test('gives nobody a role for whom none is configured', async () => {
    const other = await open({ roles: [] })
    const { status, body } = await other.withBearer(await authority.accessToken())
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'forbidden' })
    expect(body.detail).toContain('DEBLOX_OIDC_ROLES')
    await other.close()
  })

  test('is no use where no audience is configured', async () => {
    const other = await open({ audience: undefined })
    expect((await other.withBearer(await authority.accessToken())).status).toBe(401)
    await other.close()
  })
})

test('the JWTs of this file are good but for what each test changes', async () => {
  await expect(site.withBearer(await signed())).resolves.toMatchObject({
    status: 200,
    body: { identity: { subject: 'anna' } },
  })
})

describe('a JWT that the authority has signed is refused', () => {
  test.each<[string, JWTPayload]>([
    ['of another issuer', { iss: 'https://evil.test' }],
    ['of an issuer that differs in a slash', { iss: 'ISSUER/' }],
    ['without an issuer', { iss: undefined }],
    ['for another audience', { aud: 'https://other.test' }],
    ['for an audience that begins like ours', { aud: 'https://deblox.test.evil' }],
    ['without an audience', { aud: undefined }],
    ['that has expired', { exp: now() - 60 }],
    ['that never expires', { exp: undefined }],
    ['that is not good yet', { nbf: now() + 120 }],
    ['without a subject', { sub: undefined }],
    ['whose subject is a team', { sub: 'team:web' }],
    ['whose subject is everybody', { sub: 'anonymous' }],
    ['whose subject has a line break', { sub: 'anna\nadmin' }],
    ['whose subject is long', { sub: 'a'.repeat(129) }],
    ['that is bound to a key', { cnf: { jkt: 'x' } }],
  ])('%s', async (_, changed) => {
    const iss = changed.iss === 'ISSUER/' ? { iss: `${authority.issuer}/` } : {}
    expectRefused(await site.withBearer(await signed({ ...changed, ...iss })))
  })

  test.each<[string, Partial<JWTHeaderParameters>]>([
    ['that ends a login', { typ: 'logout+jwt' }],
    ['that is a proof of a key', { typ: 'dpop+jwt' }],
    ['that asks for what we do not know', { crit: ['exp'] }],
    ['by a key that the authority does not have', { kid: 'another' }],
  ])('%s', async (_, header) => {
    expectRefused(await site.withBearer(await signed({}, header).catch(() => unsigned({ alg: 'ES256', ...header }))))
  })

  test('with claims that were changed afterwards', async () => {
    const [header, , signature] = (await signed()).split('.') as [string, string, string]
    expectRefused(await site.withBearer([header, encoded({ ...claims(), groups: ['admins'] }), signature].join('.')))
  })

  test('for somebody without a group that has a role', async () => {
    for (const groups of [undefined, [], ['other'], 'OPS', { ops: true }, [['ops']]]) {
      expectRefused(await site.withBearer(await signed({ groups })), 'forbidden', 403)
    }
  })
})

describe('a forged JWT is refused', () => {
  test.each(['none', 'None', 'NONE', 'nOnE'])('that says alg %s', async (alg) => {
    expectRefused(await site.withBearer(unsigned({ alg, typ: 'at+jwt' })))
    expectRefused(await site.withBearer(unsigned({ alg, kid: authority.key.kid }, {}, 'eA')))
  })

  test.each(['HS256', 'HS384', 'HS512'])('signed by %s with the public key as the secret', async (alg) => {
    const { publicKey, jwk } = authority.key
    const { d: _, ...open } = jwk
    for (const secret of [await exportSPKI(publicKey), JSON.stringify(open), JSON.stringify({ keys: [open] })]) {
      expectRefused(await site.withBearer(await signed({}, { alg }, Buffer.from(secret.padEnd(64)))))
    }
  })

  test('by another key under the name of the authority’s', async () => {
    expectRefused(await site.withBearer(await signed({}, {}, (await newKey()).privateKey)))
  })

  test('with another signature, or none', async () => {
    for (const signature of ['', 'AAAA', Buffer.alloc(64).toString('base64url')]) {
      expectRefused(await site.withBearer(unsigned({ alg: 'ES256', kid: authority.key.kid }, {}, signature)))
    }
  })

  test.each(['jwk', 'x5c', 'jku', 'x5u'] as const)(
    'that brings its own key (%s); nobody is asked for it',
    async (name) => {
      const evil = await newKey()
      const { d: _, ...open } = evil.jwk
      const keys = await listener({ status: 200, body: JSON.stringify({ keys: [open] }) })
      const value = { jwk: open, x5c: ['MIIB'], jku: keys.url.href, x5u: keys.url.href }[name]
      for (const key of [evil.privateKey, authority.key.privateKey]) {
        expectRefused(await site.withBearer(await signed({}, { kid: evil.kid, [name]: value }, key)))
        expectRefused(await site.withBearer(await signed({}, { [name]: value }, key)))
      }
      expect(keys.asked).toEqual([])
      keys.close()
    },
  )

  test.each([
    ['nothing', ''],
    ['dots', '..'],
    ['three words', 'a.b.c'],
    ['a header alone', 'eyJhbGciOiJFUzI1NiJ9'],
    ['a long text', 'a'.repeat(9_000)],
  ])('that is %s', async (_, text) => expectRefused(await site.withBearer(text)))
})

describe('the authority’s keys', () => {
  test('are read anew when it has others: the new are good, the old are not', async () => {
    const before = await authority.accessToken()
    expect((await site.withBearer(before)).status).toBe(200)
    await authority.rotate()
    const after = await authority.accessToken()
    await eventually(async () => (await site.withBearer(after)).status === 200)
    expect((await site.withBearer(before)).status).toBe(401)
  }, 30_000)

  test('are not asked for again for every key that nobody has', async () => {
    const { d: _, ...jwk } = authority.key.jwk
    const keys = await listener({ status: 200, body: JSON.stringify({ keys: [jwk] }) })
    const other = await Site.open({
      fleet: use.fleet(),
      port: await freePort(),
      settings: settingsOf({ jwksUrl: keys.url }),
      cooldownMs: 60_000,
    })
    for (let count = 0; count < 20; count++) await other.withBearer(await signed({}, { kid: `unknown-${count}` }))
    expect(keys.asked).toHaveLength(1)
    // And those that are configured are asked for, instead of what the authority says of itself.
    expect((await other.withBearer(await signed())).status).toBe(200)
    await other.close()
    keys.close()
  })

  test.each([
    ['that lie behind a redirect', { status: 302, body: '' }],
    ['that are larger than any', { status: 200, body: `{"keys":[],"x":"${'x'.repeat(300_000)}"}` }],
    ['that are none', { status: 200, body: '{"keys":7}' }],
    ['that are an error', { status: 500, body: '{"keys":[]}' }],
  ])('%s are not used, and not asked for at every request; that is nobody’s fault who asks', async (_, answer) => {
    const keys = await listener({ ...answer, headers: { Location: `${authority.issuer}/jwks` } })
    const other = await open({ jwksUrl: keys.url })
    for (let count = 0; count < 5; count++) {
      const { status, body } = await other.withBearer(await signed())
      expect({ status, code: body.code }).toEqual({ status: 503, code: 'unauthenticated' })
    }
    expect(keys.asked).toHaveLength(1)
    await other.close()
    keys.close()
  })

  test('that cannot be read are nobody’s fault who asks, and are read when the authority is there', async () => {
    const token = await authority.accessToken()
    await authority.stop()
    await expect(site.withBearer(token)).resolves.toMatchObject({ status: 503, body: { code: 'unauthenticated' } })
    await authority.launch()
    await eventually(async () => (await site.withBearer(token)).status === 200, undefined, { within: 15_000 })
  }, 30_000)
})
