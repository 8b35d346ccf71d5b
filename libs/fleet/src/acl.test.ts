import { aclLine, aclUsers, newPassword } from './acl'
import { fleetKeys } from './names'

const users = aclUsers({ prefix: 'deblox', docks: ['a', 'a.example.com'] })
const [api, a, full] = users
const keysOf = (user = a) => user?.rules.filter((rule) => rule.startsWith('~')).map((rule) => rule.slice(1)) ?? []

/** Redis's own patterns, as far as they are used here. */
const matches = (pattern: string, key: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')}$`).test(key)
const mayUse = (user: typeof a, key: string): boolean => keysOf(user).some((pattern) => matches(pattern, key))

test('there is one user for the API and one for each dock', () => {
  expect(users.map(({ name }) => name)).toEqual(['deblox-api', 'deblox-dock-a', 'deblox-dock-a.example.com'])
})

test('the API may use the fleet’s keys, and nobody any other', () => {
  expect(keysOf(api)).toEqual(['deblox:*'])
  for (const user of users) expect(keysOf(user).every((pattern) => pattern.startsWith('deblox:'))).toBe(true)
})

test.each(['dock', 'lease', 'identity', 'containers', 'images', 'volumes', 'networks', 'calls', 'cancels'] as const)(
  'a dock’s %s is its own',
  (name) => {
    const key = fleetKeys('deblox')[name]
    expect(mayUse(a, key('a'))).toBe(true)
    expect(mayUse(a, key('a.example.com'))).toBe(false)
    expect(mayUse(full, key('a'))).toBe(false)
    expect(mayUse(a, key('*'))).toBe(false)
  },
)

test('so is its topic', () => {
  expect(mayUse(a, 'deblox:deblox.docker.a:wait')).toBe(true)
  expect(mayUse(a, 'deblox:deblox.docker:wait')).toBe(true)
  expect(mayUse(a, 'deblox:deblox.docker.a.example.com:wait')).toBe(false)
  expect(mayUse(full, 'deblox:deblox.docker.a:wait')).toBe(false)
})

test.each(['tokens', 'grants', 'audit', 'auditCheckpoint', 'templates', 'allowances'] as const)(
  '%s is the API’s',
  (name) => expect(mayUse(a, fleetKeys('deblox')[name])).toBe(false),
)

test('what is behind a family’s name is open', () => {
  expect(keysOf()).toEqual(
    expect.arrayContaining(['deblox:job:*', 'deblox:placement:*', 'deblox:replies:*', 'deblox:docks']),
  )
})

test('a dock may add to what the audit takes in, and not read it', () => {
  expect(mayUse(a, fleetKeys('deblox').auditIntake)).toBe(false)
  expect(a?.rules).toContain('(%W~deblox:audit-intake +xadd +sadd)')
})

test('a dock may add to frames and changes, and read neither', () => {
  const { frames, changes } = fleetKeys('deblox')
  expect(mayUse(a, frames('replica'))).toBe(false)
  expect(mayUse(a, changes)).toBe(false)
  expect(a?.rules).toContain('(%W~deblox:frames:* +xadd +sadd)')
  expect(a?.rules).toContain('(%W~deblox:changes +xadd +sadd)')
})

test('a prefix in braces stays as it is', () => {
  expect(keysOf(aclUsers({ prefix: '{d}', docks: ['a'] })[1])).toContain('{d}:lease:a')
})

test.each(['', '*', 'a*', 'a b', 'a~b', '-a', 'a:b', 'a\n', '[a]'])('%j is no host name', (dock) => {
  expect(() => aclUsers({ prefix: 'deblox', docks: [dock] })).toThrow('dock: expected a host name')
})

test('a line has the digest of a password, not the password', () => {
  const password = newPassword()
  const line = aclLine(api as NonNullable<typeof api>, password)
  expect(line).toMatch(/^user deblox-api #[0-9a-f]{64} on resetchannels -@all /)
  expect(line).not.toContain(password)
  expect(password).toMatch(/^[\w-]{43}$/)
})
