import type { Identity } from '@deblox/actions/access/identity'
import type { Role } from '@deblox/actions/access/policies'
import { DebloxError } from '@deblox/actions/errors'
import type { Known } from '../gate'

const seconds = 1000
const days = 24 * 60 * 60 * seconds

/** Lives of tokens in milliseconds: where nobody says, and at the most for oneself and for an admin. */
export const tokenLives = { usual: 90 * days, own: 90 * days, admin: 366 * days } as const

/** The roles whose rights a role has, its own among them: nobody hands on what he does not have. */
const within = {
  viewer: ['viewer'],
  operator: ['viewer', 'operator'],
  deployer: ['viewer', 'operator', 'deployer'],
  admin: ['viewer', 'operator', 'deployer', 'admin', 'auditor'],
  auditor: ['auditor'],
} satisfies Record<Role, readonly Role[]>

export interface WantedToken {
  subject: string
  role: Role
  teams?: readonly string[]
  scopes?: readonly string[]
  lifeMs?: number
}

/**
 * The token that somebody may make: an admin for anybody; others for themselves alone, with no more than their own rights,
 * and not with a token: one that was stolen would otherwise live on in those that it made. Throws `forbidden`.
 */
export function mayMake({ identity, via }: Known, wanted: WantedToken): Identity & { lifeMs: number } {
  const isAdmin = identity.role === 'admin'
  const { subject, role, scopes, lifeMs = tokenLives.usual } = wanted
  const teams = wanted.teams ?? (subject === identity.subject ? identity.teams : [])
  const roles: readonly Role[] = within[identity.role]
  // It would still be good when AUTH is on again, whoever had made it.
  if (via === 'off') throw refused('AUTH', 'on, for tokens to be made', 'off')
  if (!roles.includes(role)) throw refused('role', roles.join(' or '), role)
  if (identity.scopes && !(scopes ?? ['all']).every((scope) => identity.scopes?.includes(scope))) {
    throw refused('scopes', `some of ${identity.scopes.join(', ')}`, scopes?.join(', ') ?? 'none, which means all')
  }
  if (!isAdmin) {
    if (via === 'token')
      throw refused('Authorization', 'a login or a JWT, as only admins make tokens by tokens', 'a token')
    if (subject !== identity.subject) throw refused('subject', `${identity.subject}, who asks`, subject)
    const foreign = teams.find((team) => !identity.teams.includes(team))
    if (foreign !== undefined) throw refused('teams', 'teams of his who asks', foreign)
  }
  const most = isAdmin ? tokenLives.admin : tokenLives.own
  if (lifeMs > most) throw refused('expiresIn', `${most / seconds} or less`, String(lifeMs / seconds))
  return { subject, teams, role, ...(scopes && { scopes }), lifeMs }
}

/** Whose tokens somebody sees and revokes. */
export const isHisToken = ({ subject, role }: Identity, token: { subject: string }): boolean =>
  role === 'admin' || subject === token.subject

const refused = (field: string, expected: string, got: string): DebloxError =>
  new DebloxError('forbidden', `${field}: expected ${expected}, got ${got}`)
