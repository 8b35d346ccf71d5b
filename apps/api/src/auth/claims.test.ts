import { identityOf } from './claims'

const settings = {
  issuer: 'https://id.example.com',
  teamsClaim: 'groups',
  roles: [{ group: 'all', role: 'viewer' }],
} as const
const of = (claims: object) =>
  identityOf({ sub: 'anna', groups: ['all'], ...claims }, { ...settings, roles: [...settings.roles] })

test.each(['admin', 'anonymous', 'team:', 'team:web', 'a b', 'a'.repeat(129), ''])(
  'an authority’s subject %j is refused: it would stand for something else',
  (sub) => expect(() => of({ sub })).toThrow(expect.objectContaining({ code: 'unauthenticated' })),
)

test.each(['anna', 'administrator', 'Admin', 'a'.repeat(128)])('an authority’s subject %j is somebody', (sub) => {
  expect(of({ sub })).toMatchObject({ subject: sub })
})

test('a group is a team where `team:` and its name can own something', () => {
  const [longest, tooLong] = ['g'.repeat(123), 'g'.repeat(124)]
  expect(of({ groups: ['all', longest, tooLong, 'a b'] }).teams).toEqual(['all', longest])
})
