import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import type { OidcSettings } from '../config-oidc'
import { nameForm, reservedSubject, teamForm, unauthenticated } from './authenticated'

/**
 * Who an authority's claims speak of. Groups that cannot be names of teams are left out. Throws `unauthenticated` where there
 * is no subject, and `forbidden` where no group of his has a role: whom nobody has let in does nothing, not even look.
 */
export function identityOf(claims: Record<string, unknown>, { teamsClaim, roles }: OidcSettings): Identity {
  const { sub } = claims
  if (typeof sub !== 'string' || !nameForm.test(sub) || reservedSubject.test(sub)) {
    throw unauthenticated('sub: expected 1 to 128 visible ASCII characters that stand for nothing else, got others')
  }
  const groups = groupsOf(Object.hasOwn(claims, teamsClaim) ? claims[teamsClaim] : undefined)
  const rule = roles.find(({ group }) => groups.includes(group))
  if (!rule) {
    throw new DebloxError(
      'forbidden',
      `${teamsClaim}: expected a group to which DEBLOX_OIDC_ROLES gives a role, got ${groups.length} groups, none of them`,
    )
  }
  return { subject: sub, teams: groups.filter((group) => teamForm.test(group)), role: rule.role }
}

const groupsOf = (claim: unknown): string[] => {
  const groups = Array.isArray(claim) ? claim : [claim]
  return [...new Set(groups.filter((group) => typeof group === 'string'))]
}
