import { decide, type Grant, type Held, holds, isDockOf, mayUse, selects, shows, viewOf } from './decide'
import type { Identity } from './identity'
import { policies, type Permission, policyOf, type Role, roles } from './policies'

const id = 'ab'.repeat(32)
const held = (more: Partial<Held> = {}): Held => ({
  id,
  dock: 'dock-1',
  owner: 'anna',
  labels: { app: 'web' },
  ...more,
})
const someone = (role: Role, more: Partial<Identity> = {}): Identity => ({ subject: 'anna', teams: [], role, ...more })
const grant = (more: Partial<Grant> = {}): Grant => ({
  id: 'g',
  to: 'ben',
  may: ['restart-container'],
  on: { container: id },
  by: 'anna',
  at: '2030-01-01T00:00:00Z',
  ...more,
})
const verdict = (identity: Identity, permission: Permission, one: Held, grants: Grant[] = []) =>
  decide(identity, permission, one, grants).verdict

describe('on a container of one’s own', () => {
  const onContainers = [...policies]
    .filter(([, { reach }]) => reach === 'container')
    .map(([name]) => name as Permission)

  test.each(onContainers)('%s is for the roles of the table', (permission) => {
    for (const role of roles) {
      const isFor = policyOf(permission).roles.includes(role)
      expect([role, verdict(someone(role), permission, held())]).toEqual([role, isFor ? 'allowed' : 'forbidden'])
    }
  })

  test('an allowance rests on the owner', () => {
    expect(decide(someone('operator'), 'stop-container', held(), [])).toEqual({
      verdict: 'allowed',
      given: { owner: 'anna' },
    })
  })

  test('a token’s scopes limit the role', () => {
    const narrow = someone('deployer', { scopes: ['inspect-container'] })
    expect(verdict(narrow, 'inspect-container', held())).toBe('allowed')
    expect(verdict(narrow, 'delete-container', held())).toBe('forbidden')
  })

  test('a team’s is its members’', () => {
    const one = held({ owner: 'team:ops' })
    expect(verdict(someone('operator', { teams: ['ops'] }), 'stop-container', one)).toBe('allowed')
    expect(verdict(someone('operator', { teams: ['dev'] }), 'stop-container', one)).toBe('hidden')
    // Nobody becomes a team by his name.
    expect(verdict(someone('operator', { teams: [] }), 'stop-container', held({ owner: 'ops' }))).toBe('hidden')
  })
})

describe('on a foreign one', () => {
  test.each(roles.filter((role) => role !== 'admin'))('a %s sees nothing', (role) => {
    for (const owner of ['ben', null, 'team:ops']) {
      expect(verdict(someone(role), 'inspect-container', held({ owner }))).toBe('hidden')
    }
  })

  test('an admin may all that his scopes have', () => {
    expect(decide(someone('admin'), 'delete-container', held({ owner: null }), [])).toEqual({
      verdict: 'allowed',
      given: {},
    })
    expect(verdict(someone('admin', { scopes: [] }), 'delete-container', held())).toBe('forbidden')
  })
})

describe('a grant', () => {
  const ben = (role: Role = 'viewer', more: Partial<Identity> = {}) => someone(role, { subject: 'ben', ...more })

  test('allows what it names, and nothing else', () => {
    expect(verdict(ben(), 'restart-container', held(), [grant()])).toBe('allowed')
    expect(verdict(ben(), 'delete-container', held(), [grant()])).toBe('forbidden')
    expect(verdict(ben('deployer'), 'delete-container', held(), [grant()])).toBe('forbidden')
  })

  test('is for whom it was given', () => {
    expect(verdict(someone('viewer', { subject: 'carl' }), 'restart-container', held(), [grant()])).toBe('hidden')
    const toTeam = grant({ to: 'team:ops' })
    expect(verdict(ben('viewer', { teams: ['ops'] }), 'restart-container', held(), [toTeam])).toBe('allowed')
    expect(verdict(ben(), 'restart-container', held(), [toTeam])).toBe('hidden')
  })

  test('is not wider than a token', () => {
    expect(verdict(ben('viewer', { scopes: ['inspect-container'] }), 'restart-container', held(), [grant()])).toBe(
      'forbidden',
    )
  })

  test('by labels rests on these', () => {
    const byLabel = grant({ on: { labels: { app: 'web' } } })
    expect(decide(ben(), 'restart-container', held(), [byLabel])).toEqual({
      verdict: 'allowed',
      given: { labels: { app: 'web' } },
    })
    expect(verdict(ben(), 'restart-container', held({ labels: { app: 'db' } }), [byLabel])).toBe('hidden')
  })
})

test('a grant by the owner ends when the container is somebody else’s', () => {
  const byAnna = grant({ on: { container: id, owner: 'anna' } })
  const ben = someone('viewer', { subject: 'ben' })
  expect(decide(ben, 'restart-container', held(), [byAnna])).toEqual({ verdict: 'allowed', given: { owner: 'anna' } })
  expect(verdict(ben, 'restart-container', held({ owner: 'carl' }), [byAnna])).toBe('hidden')
})

test.each([
  [{}, false],
  [{ labels: {} }, false],
  [{ docks: [] }, false],
  [{ container: id }, true],
  [{ container: 'cd'.repeat(32) }, false],
  [{ labels: { app: 'web' } }, true],
  [{ labels: { app: 'web', tier: 'front' } }, false],
  [{ labels: { toString: 'x' } }, false],
  [{ owner: 'anna' }, true],
  [{ owner: 'ben' }, false],
  [{ container: id, owner: 'ben' }, false],
  [{ docks: ['dock-1'] }, true],
  [{ docks: ['dock-2', '*'] }, true],
  [{ docks: ['dock-2'] }, false],
  [{ container: id, docks: ['dock-2'] }, false],
])('%j selects it: %s', (selector, expected) => {
  expect(selects(selector, held())).toBe(expected)
})

test('a pattern of docks means the end of a name, in whole parts', () => {
  expect(isDockOf('*.eu.example.org', 'a.eu.example.org')).toBe(true)
  expect(isDockOf('*.eu.example.org', 'aeu.example.org')).toBe(false)
  expect(isDockOf('*.eu.example.org', 'a.us.example.org')).toBe(false)
})

test('what an allowance rests on must be so beside the daemon', () => {
  expect(holds({}, held({ owner: null }))).toBe(true)
  expect(holds({ owner: 'anna' }, held())).toBe(true)
  expect(holds({ owner: 'anna' }, held({ owner: null }))).toBe(false)
  expect(holds({ labels: { app: 'web' } }, held())).toBe(true)
  expect(holds({ labels: { app: 'web' } }, held({ labels: {} }))).toBe(false)
})

test('a list shows what is one’s own or granted, an admin all', () => {
  const view = viewOf(someone('viewer', { subject: 'ben' }), [grant(), grant({ to: 'carl', on: { docks: ['*'] } })])
  expect(shows(view, held())).toBe(true)
  expect(shows(view, held({ id: 'cd'.repeat(32) }))).toBe(false)
  expect(shows(view, held({ id: 'cd'.repeat(32), owner: 'ben' }))).toBe(true)
  expect(shows(viewOf(someone('admin'), []), held({ owner: null }))).toBe(true)
})

test('what belongs to nobody goes by role and scopes', () => {
  expect(mayUse(someone('viewer'), 'create-container')).toBe(false)
  expect(mayUse(someone('deployer'), 'create-container')).toBe(true)
  expect(mayUse(someone('deployer', { scopes: ['list-images'] }), 'create-container')).toBe(false)
})

test('what has no entry has no policy', () => {
  expect(() => policyOf('GET /v1/secrets')).toThrow('expected an entry for GET /v1/secrets')
})
