import { decide, type Given, type Grant, isInScope, mayUse, type View, viewOf } from '@deblox/actions/access/decide'
import { type Identity, ownersOf } from '@deblox/actions/access/identity'
import type { Permission } from '@deblox/actions/access/policies'
import { DebloxError } from '@deblox/actions/errors'
import type { FleetIndex, IndexedRow } from '@deblox/fleet/index'
import type { JobRecord } from '@deblox/fleet/job'

/** A container that somebody may use in some way, and what that rests on. */
export interface Found {
  row: IndexedRow
  given: Given
}

export type Access = ReturnType<typeof accessTo>

/** What the API asks before it does anything for somebody. `grants`: all that stand now. */
export function accessTo(index: Pick<FleetIndex, 'locate'>, grants: () => Promise<readonly Grant[]>) {
  /** Nobody has to look through grants for an admin. */
  const grantsFor = async ({ role }: Identity): Promise<readonly Grant[]> => (role === 'admin' ? [] : grants())

  const functions = {
    /**
     * The container that is meant. One of which the caller has nothing is answered as one that is not there. Throws
     * `container_not_found`, `ambiguous_container` with the candidates that he may know, `forbidden`.
     */
    async container(identity: Identity, permission: Permission, reference: string, hostname?: string): Promise<Found> {
      const all = await grantsFor(identity)
      const judge = (row: IndexedRow) => decide(identity, permission, row, all)
      const mayKnow = identity.role === 'admin' ? undefined : (row: IndexedRow) => judge(row).verdict !== 'hidden'
      const row = await index.locate(reference, hostname, mayKnow)
      const decision = judge(row)
      if (decision.verdict !== 'allowed') throw forbidden(identity, permission)
      return { row, given: decision.given }
    },

    /**
     * The container of an earlier job, which is known by its full id, if the caller may use it so still; undefined where it
     * is gone: then the earlier job is all that is left. Throws as `container` does, also where it is hidden by now.
     */
    async still(identity: Identity, permission: Permission, id: string): Promise<Found | undefined> {
      try {
        return await functions.container(identity, permission, id)
      } catch (error) {
        if (!isNotFound(error)) throw error
        const isGone = await index.locate(id).then(() => false, isNotFound)
        if (!isGone) throw error
        if (!isInScope(identity, permission)) throw forbidden(identity, permission)
        return undefined
      }
    },

    /** Of these containers those that the caller may use so. */
    async those(identity: Identity, permission: Permission, rows: readonly IndexedRow[]): Promise<Found[]> {
      const all = await grantsFor(identity)
      return rows.flatMap((row) => {
        const decision = decide(identity, permission, row, all)
        return decision.verdict === 'allowed' ? [{ row, given: decision.given }] : []
      })
    },

    /** What the caller is shown of lists; undefined where that is all. */
    view: async (identity: Identity): Promise<View | undefined> => viewOf(identity, await grantsFor(identity)),
  }
  return functions
}

const isNotFound = (error: unknown): boolean => error instanceof DebloxError && error.code === 'container_not_found'

/** Throws `forbidden` where a permission is not within an identity's role and scopes. */
export function requireUse(identity: Identity, permission: Permission): void {
  if (!mayUse(identity, permission)) throw forbidden(identity, permission)
}

/** Whether a job is somebody's to look at: he asked for it, or it is about something of his. */
export const isHisJob = (identity: Identity, { actor, owner }: Pick<JobRecord, 'actor' | 'owner'>): boolean =>
  identity.role === 'admin' || actor === identity.subject || ownersOf(identity).includes(owner)

export function forbidden({ subject, role, scopes }: Identity, permission: string): DebloxError {
  const limit = scopes === undefined ? '' : `, whose token is limited to ${scopes.join(', ') || 'nothing'}`
  return new DebloxError('forbidden', `${permission}: expected somebody who may, got ${subject}, ${role}${limit}`)
}
