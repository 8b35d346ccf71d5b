import { StartError } from '@deblox/fleet/start-error'
import { newToken } from '@deblox/fleet/token-text'
import { readConfig } from './config'

const { token } = newToken()

describe('AUTH', () => {
  test('is on unless it is told otherwise', () => expect(readConfig({}).AUTH).toBe('on'))

  test.each(['127.0.0.1', 'localhost', '127.9.9.9', '::1'])('may be off while HOST is %s', (HOST) => {
    expect(readConfig({ AUTH: 'off', HOST }).AUTH).toBe('off')
  })

  test.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.test', 'localhost.evil.test'])(
    'may not be off while HOST is %s',
    (HOST) => {
      const told = `AUTH: expected on, as HOST is not a loopback address, got "off" with HOST "${HOST}"`
      expect(() => readConfig({ AUTH: 'off', HOST })).toThrow(new StartError(told))
    },
  )
})

describe('DEBLOX_ADMIN_TOKEN', () => {
  test('is read', () => expect(readConfig({ DEBLOX_ADMIN_TOKEN: token }).DEBLOX_ADMIN_TOKEN).toBe(token))

  test('CVE-2026-45631: has no default', () => expect(readConfig({})).not.toHaveProperty('DEBLOX_ADMIN_TOKEN'))

  test.each([
    'changeme',
    token.slice(0, -1),
    `${token}=`,
    token.toUpperCase(),
    `dbx_${'0'.repeat(16)}_${'A'.repeat(43)}`,
  ])('of another form, or drawn by hand, is refused in one line that does not show it', (value) => {
    const read = () => readConfig({ DEBLOX_ADMIN_TOKEN: value })
    expect(read).toThrow(StartError)
    expect(read).toThrow(/^DEBLOX_ADMIN_TOKEN: expected .*, got another value$/)
    expect(read).not.toThrow(value)
  })
})

test.each(['DEBLOX_STATE_DIR', 'DEBLOX_SIGNING_KEYS'])('%s is an absolute path', (name) => {
  expect(readConfig({ [name]: '/srv/deblox' })).toHaveProperty(name, '/srv/deblox')
  expect(() => readConfig({ [name]: 'deblox' })).toThrow(`${name}: expected an absolute path, got "deblox"`)
})

describe('an authority', () => {
  const issuer = { DEBLOX_OIDC_ISSUER: 'https://id.example.com', DEBLOX_OIDC_AUDIENCE: 'deblox' }
  const client = { DEBLOX_OIDC_CLIENT_ID: 'deblox', DEBLOX_PUBLIC_URL: 'https://deblox.example.com' }

  test('is none unless it is named', () => expect(readConfig({}).oidc).toBeUndefined())

  test('is read, with the roles in the order in which they count', () => {
    const env = {
      ...issuer,
      ...client,
      DEBLOX_OIDC_JWKS_URL: 'https://id.example.com/keys',
      DEBLOX_OIDC_CLIENT_SECRET: 'hush',
      DEBLOX_OIDC_SCOPE: 'openid groups',
      DEBLOX_OIDC_TEAMS_CLAIM: 'teams',
      DEBLOX_OIDC_ROLES: 'Platform Team=admin, a=b=viewer',
    }
    expect(readConfig(env)).toMatchObject({
      publicUrl: new URL('https://deblox.example.com'),
      oidc: {
        issuer: 'https://id.example.com',
        audience: 'deblox',
        jwksUrl: new URL('https://id.example.com/keys'),
        teamsClaim: 'teams',
        roles: [
          { group: 'Platform Team', role: 'admin' },
          { group: 'a=b', role: 'viewer' },
        ],
        client: { id: 'deblox', secret: 'hush', scope: 'openid groups', publicUrl: new URL(client.DEBLOX_PUBLIC_URL) },
      },
    })
  })

  test('gives nobody a role unless it is told so, and takes groups for teams', () => {
    expect(readConfig(issuer).oidc).toMatchObject({ roles: [], teamsClaim: 'groups' })
    expect(readConfig(issuer).oidc).not.toHaveProperty('client')
  })

  test.each<[string, Record<string, string>, string]>([
    [
      'http to elsewhere',
      { DEBLOX_OIDC_ISSUER: 'http://id.example.com' },
      'DEBLOX_OIDC_ISSUER: expected an https:// URL',
    ],
    [
      'http to what looks like here',
      { DEBLOX_OIDC_ISSUER: 'http://127.0.0.1.evil.test' },
      'DEBLOX_OIDC_ISSUER: expected',
    ],
    ['no URL', { DEBLOX_OIDC_ISSUER: 'id.example.com' }, 'got "id.example.com"'],
    ['a query', { DEBLOX_OIDC_ISSUER: 'https://id.example.com/?a=b' }, 'got another one'],
    [
      'keys from a file',
      { DEBLOX_OIDC_JWKS_URL: 'file:///etc/keys' },
      'DEBLOX_OIDC_JWKS_URL: expected an https:// URL',
    ],
    ['another role', { DEBLOX_OIDC_ROLES: 'a=root' }, 'DEBLOX_OIDC_ROLES: expected group=role'],
    ['no group', { DEBLOX_OIDC_ROLES: '=admin' }, 'got "=admin"'],
    ['an empty role', { DEBLOX_OIDC_ROLES: 'a=admin,' }, 'got ""'],
    ['no openid', { DEBLOX_OIDC_SCOPE: 'groups' }, 'DEBLOX_OIDC_SCOPE: expected openid'],
    ['nobody to be', { DEBLOX_OIDC_AUDIENCE: '' }, 'DEBLOX_OIDC_AUDIENCE: expected it or DEBLOX_OIDC_CLIENT_ID'],
    ['nowhere to come back', { DEBLOX_OIDC_CLIENT_ID: 'deblox' }, 'DEBLOX_PUBLIC_URL: expected it beside'],
    ['a secret for nobody', { DEBLOX_OIDC_CLIENT_SECRET: 'hush' }, 'DEBLOX_OIDC_CLIENT_ID: expected it beside'],
    ['a path to come back to', { ...client, DEBLOX_PUBLIC_URL: 'https://a.test/x' }, 'expected a URL without a path'],
    ['no issuer', { DEBLOX_OIDC_ISSUER: '' }, 'DEBLOX_OIDC_ISSUER: expected it beside DEBLOX_OIDC_AUDIENCE'],
  ])('with %s is refused in one line', (_, more, told) => {
    const read = () => readConfig({ ...issuer, ...more })
    expect(read).toThrow(StartError)
    expect(read).toThrow(told)
    expect(read).not.toThrow('hush')
  })

  test('whose address holds a password is refused without showing it', () => {
    for (const name of ['DEBLOX_OIDC_ISSUER', 'DEBLOX_OIDC_JWKS_URL', 'DEBLOX_PUBLIC_URL']) {
      for (const url of [
        'https://me:hush@id.example.com',
        'https://hush@id.example.com',
        'https://:hush@id.example.com',
      ]) {
        const read = () => readConfig({ ...issuer, [name]: url })
        expect(read).toThrow(`${name}: expected an https:// URL`)
        expect(read).not.toThrow('hush')
      }
    }
  })
})
