import { type Role, roles } from '@deblox/actions/access/policies'
import type { Known } from '../gate'
import { isHisToken, mayMake, tokenLives, type WantedToken } from './token-rules'

const known = (role: Role, more: Partial<Known['identity']> = {}, via: Known['via'] = 'session'): Known => ({
  identity: { subject: 'anna', teams: ['web', 'db'], role, ...more },
  via,
})
const forbidden = expect.objectContaining({ code: 'forbidden', status: 403 })
const own: WantedToken = { subject: 'anna', role: 'viewer' }

test('an admin makes tokens for anybody, of any role and team, with a token too', () => {
  for (const role of roles) {
    for (const via of ['token', 'session', 'jwt'] as const) {
      const wanted = { subject: 'bert', role, teams: ['other'], lifeMs: tokenLives.admin }
      expect(mayMake(known('admin', {}, via), wanted)).toEqual(wanted)
    }
  }
})

test('while everybody is an admin nobody makes a token that would outlast that', () => {
  expect(() => mayMake(known('admin', {}, 'off'), own)).toThrow(forbidden)
})

test('others make them for themselves, with their teams unless they say so, for 90 days', () => {
  expect(mayMake(known('viewer'), own)).toEqual({ ...own, teams: ['web', 'db'], lifeMs: tokenLives.usual })
  expect(mayMake(known('viewer'), { ...own, teams: [] })).toMatchObject({ teams: [] })
  expect(mayMake(known('viewer'), { ...own, teams: ['db'], scopes: ['start-container'] })).toMatchObject({
    teams: ['db'],
    scopes: ['start-container'],
  })
})

test.each<[Role, Role[]]>([
  ['viewer', ['viewer']],
  ['operator', ['viewer', 'operator']],
  ['deployer', ['viewer', 'operator', 'deployer']],
  ['admin', ['viewer', 'operator', 'deployer', 'admin', 'auditor']],
  ['auditor', ['auditor']],
])('the roles that one of role %s hands on: %s', (role, handedOn) => {
  const others = roles.filter((wanted) => !handedOn.includes(wanted))
  for (const wanted of handedOn) expect(mayMake(known(role), { ...own, role: wanted })).toMatchObject({ role: wanted })
  for (const wanted of others) expect(() => mayMake(known(role), { ...own, role: wanted })).toThrow(forbidden)
})

test.each<[string, Partial<WantedToken>, Known?]>([
  ['for somebody else', { subject: 'bert' }],
  ['for a team of others', { teams: ['web', 'other'] }],
  ['for longer', { lifeMs: tokenLives.own + 1 }],
  ['with a token', {}, known('deployer', {}, 'token')],
  ['with more than his own scopes', { scopes: ['list-images'] }, known('deployer', { scopes: ['start-container'] })],
  ['without a limit where he has one', {}, known('deployer', { scopes: ['start-container'] })],
  ['without a limit where all is forbidden', {}, known('deployer', { scopes: [] })],
])('nobody but an admin makes one %s', (_, wanted, who = known('deployer')) => {
  expect(() => mayMake(who, { ...own, ...wanted })).toThrow(forbidden)
})

test('an admin whose token is limited hands on no more than that, and no longer than a year', () => {
  const limited = known('admin', { scopes: ['POST /v1/tokens', 'start-container'] }, 'token')
  expect(() => mayMake(limited, own)).toThrow(forbidden)
  expect(() => mayMake(limited, { ...own, scopes: ['delete-container'] })).toThrow(forbidden)
  expect(mayMake(limited, { ...own, scopes: ['start-container'] })).toMatchObject({ scopes: ['start-container'] })
  expect(() => mayMake(known('admin'), { ...own, lifeMs: tokenLives.admin + 1 })).toThrow(forbidden)
})

test('a token is his whose subject he is, and an admin’s', () => {
  expect(isHisToken(known('viewer').identity, { subject: 'anna' })).toBe(true)
  expect(isHisToken(known('auditor').identity, { subject: 'bert' })).toBe(false)
  expect(isHisToken(known('admin').identity, { subject: 'bert' })).toBe(true)
})
