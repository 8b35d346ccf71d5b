import { type Identity, ownersOf } from './identity'
import { type Permission, policyOf } from './policies'

/** What of a container decides who may do what with it. */
export interface Held {
  id: string
  dock: string
  /** A subject, `team:<name>`, or null where it belongs to nobody. */
  owner: string | null
  labels: Record<string, string>
}

/** The containers that a grant is about: those of which all that is named holds. */
export interface Selector {
  /** One container, by its full id. */
  container?: string
  /** All that carry these labels with these values. */
  labels?: Record<string, string>
  /** All that belong to this owner. */
  owner?: string
  /** All on these docks: host names, of which the first part may be `*`, as in `*.eu.example.org`. */
  docks?: readonly string[]
}

/** What somebody may do with containers that are not his. */
export interface Grant {
  id: string
  /** An owner: a subject, or `team:<name>`. */
  to: string
  may: readonly Permission[]
  on: Selector
  /** The subject who gave it, and when, as an ISO 8601 time. */
  by: string
  at: string
}

/**
 * What an allowance rests on. The worker compares it with what it knows itself, so that nobody gains by what he has written
 * into the index.
 */
export interface Given {
  owner?: string
  labels?: Record<string, string>
}

export type Decision = { verdict: 'allowed'; given: Given } | { verdict: 'forbidden' } | { verdict: 'hidden' }

/** Whether a permission is within an identity's role and scopes, whatever it is used on. */
export const mayUse = (identity: Identity, permission: Permission): boolean =>
  policyOf(permission).roles.includes(identity.role) && isInScope(identity, permission)

/** Whether someone may do something with a container: a foreign one is hidden, as if it were not there. */
export function decide(identity: Identity, permission: Permission, held: Held, grants: readonly Grant[]): Decision {
  if (identity.role === 'admin') return isInScope(identity, permission) ? allowed({}) : { verdict: 'forbidden' }
  const isOwn = isOwnedBy(identity, held)
  const granted = grantsOn(identity, held, grants)
  if (!isOwn && granted.length === 0) return { verdict: 'hidden' }
  if (!isInScope(identity, permission)) return { verdict: 'forbidden' }
  if (isOwn && held.owner !== null && policyOf(permission).roles.includes(identity.role)) {
    return allowed({ owner: held.owner })
  }
  const grant = granted.find(({ may }) => may.includes(permission))
  if (!grant) return { verdict: 'forbidden' }
  const { owner, labels } = grant.on
  return allowed({ ...(owner !== undefined && { owner }), ...(labels && { labels }) })
}

/** Whether what an allowance rests on is so. */
export const holds = ({ owner, labels }: Given, held: Held): boolean =>
  (owner === undefined || owner === held.owner) && (labels === undefined || carries(held.labels, labels))

/** Whose containers somebody is shown. */
export interface View {
  owners: readonly string[]
  granted: readonly Selector[]
}

/** What someone is shown of lists; undefined where that is all. */
export const viewOf = (identity: Identity, grants: readonly Grant[]): View | undefined =>
  identity.role === 'admin'
    ? undefined
    : { owners: ownersOf(identity), granted: grants.filter((grant) => isTo(identity, grant)).map(({ on }) => on) }

/** Whether a list shows that container. */
export const shows = (view: View | undefined, held: Held): boolean =>
  view === undefined ||
  (held.owner !== null && view.owners.includes(held.owner)) ||
  view.granted.some((selector) => selects(selector, held))

const allowed = (given: Given): Decision => ({ verdict: 'allowed', given })

/** Whether a token is good for a permission. */
export const isInScope = ({ scopes }: Identity, permission: Permission): boolean =>
  scopes === undefined || scopes.includes(permission)

const isOwnedBy = (identity: Identity, { owner }: Held): boolean => owner !== null && ownersOf(identity).includes(owner)

const isTo = (identity: Identity, { to }: Grant): boolean => ownersOf(identity).includes(to)

const grantsOn = (identity: Identity, held: Held, grants: readonly Grant[]): Grant[] =>
  grants.filter((grant) => isTo(identity, grant) && selects(grant.on, held))

/** A selector that names nothing selects nothing. */
export function selects({ container, owner, labels, docks }: Selector, held: Held): boolean {
  if ([container, owner, labels, docks].every((named) => named === undefined)) return false
  return (
    (container === undefined || container === held.id) &&
    (owner === undefined || owner === held.owner) &&
    (labels === undefined || (Object.keys(labels).length > 0 && carries(held.labels, labels))) &&
    (docks === undefined || docks.some((pattern) => isDockOf(pattern, held.dock)))
  )
}

const carries = (has: Record<string, string>, wanted: Record<string, string>): boolean =>
  Object.entries(wanted).every(([name, value]) => Object.hasOwn(has, name) && has[name] === value)

/** `*.eu.example.org` means every dock whose name ends so; `*` means all. */
export const isDockOf = (pattern: string, hostname: string): boolean =>
  pattern === '*' || (pattern.startsWith('*.') ? hostname.endsWith(pattern.slice(1)) : pattern === hostname)
