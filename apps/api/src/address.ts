import { type Identity, ownersOf } from '@deblox/actions/access/identity'
import { type Permission, policyOf } from '@deblox/actions/access/policies'
import type { Action, Lookups, Routing } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import type { Allowances } from '@deblox/fleet/allowances'
import type { Fleet } from '@deblox/fleet/fleet'
import type { JobRecord } from '@deblox/fleet/job'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { deal, readyDocks } from '@deblox/fleet/placement'
import { hasSecrets } from '@deblox/fleet/secrets'
import { type Access, forbidden, requireUse } from './access'
import type { About, Caller } from './route'
import { type Admitted, admittedBy, takenOver } from './rules'

type Fields = 'params' | 'topics' | 'dealt' | 'onFailure' | 'owner' | 'given' | 'view'

/** Where a job goes, with what, whose it is, what the caller's right to it rests on, and how far that goes. */
export type Addressed = Pick<JobRecord, Fields> & Admitted

export type Address = (action: Action, request: object, caller: Caller) => Promise<Addressed>

/** Makes the function that finds out whether a caller may have a job done, and which docks it goes to. */
export function addressOn(fleet: Fleet, access: Access, allowances: Pick<Allowances, 'of'>): Address {
  const admitted = admittedBy(allowances)

  const lookups: Lookups = {
    template: async (name) => ({ ...(await fleet.templates.get(name)).spec }),
  }

  const requireDock = async (hostname: string): Promise<void> => {
    if (await fleet.docks.isRegistered(hostname)) return
    throw new DebloxError('dock_not_found', `hostname: expected a registered dock (see GET /v1/docks), got ${hostname}`)
  }

  const topicsFor = async ({ hostname, instances }: Routing): Promise<Pick<JobRecord, 'topics' | 'dealt'>> => {
    const count = instances ?? 1
    if (hostname !== undefined) {
      await requireDock(hostname)
      return { topics: Array.from({ length: count }, () => dockTopic(hostname)) }
    }
    if (instances === undefined) return { topics: [clusterTopic] }
    const ready = readyDocks(await fleet.docks.list())
    // With no dock up the slots wait on the cluster topic for whichever comes.
    if (ready.length === 0) return { topics: Array.from({ length: count }, () => clusterTopic) }
    return { topics: deal(count, ready, await fleet.placements.takeTurn(count)).map(dockTopic), dealt: true }
  }

  /** Only a dock that is named now can be told what nobody else may know, and no other takes its place. */
  const topicsOfDocks = async (routing: Routing): Promise<Pick<JobRecord, 'topics'>> => {
    const { topics } = await topicsFor({ ...routing, instances: routing.instances ?? 1 })
    return { topics }
  }

  return async (action, request, { identity, about }) => {
    // The registry has seen to it that there is such an entry.
    const permission = action.name as Permission
    about.permission = permission
    const { params: asked, routing } = action.split(request)
    if (action.target === 'container') {
      const { id: reference } = asked as { id: string }
      about.object = reference
      const { row, given } = await access.container(identity, permission, reference, routing.hostname)
      Object.assign(about, { object: row.id, dock: row.dock })
      const owner = row.owner ?? identity.subject
      const params = { ...asked, id: row.id }
      const { rules } = await admitted(action, params, { identity, owner, hostname: row.dock, row })
      const receiver = action.gives && ownerFor(identity, permission, (asked as { owner: string }).owner)
      const takes = receiver && identity.role !== 'admin' && (await takenOver(allowances, receiver, row))
      const topics = [dockTopic(row.dock)]
      return { params, topics, owner, given, ...(rules && { rules }), ...(takes && { takes }) }
    }
    Object.assign(about, namedIn(asked, routing))
    requireUse(identity, permission)
    const owner = ownerFor(identity, permission, routing.owner)
    const params = action.resolve ? await action.resolve(asked, lookups) : asked
    const view = policyOf(permission).reach === 'own' ? await access.view(identity) : undefined
    const { onFailure } = routing
    return {
      params: { ...params },
      ...(await (hasSecrets(params) ? topicsOfDocks(routing) : topicsFor(routing))),
      owner,
      ...(onFailure && { onFailure }),
      ...(view && { view }),
      ...(await admitted(action, params, {
        identity,
        owner,
        ...(routing.hostname !== undefined && { hostname: routing.hostname }),
      })),
    }
  }
}

/** What a request that is about no container that exists names, for the audit. */
function namedIn(params: object, routing: Routing): Pick<About, 'object' | 'dock'> {
  const { hostname, name, image } = params as { hostname?: string; name?: string; image?: string }
  const [dock, object] = [hostname ?? routing.hostname, name ?? image]
  return { ...(dock !== undefined && { dock }), ...(object !== undefined && { object }) }
}

/** Whose something will be: the creator's, or whom he names, where that is a team of his; an admin gives to anybody. */
export function ownerFor(identity: Identity, permission: Permission, asked: string | undefined): string {
  if (asked === undefined) return identity.subject
  if (identity.role === 'admin' || ownersOf(identity).includes(asked)) return asked
  const { message } = forbidden(identity, permission)
  throw new DebloxError('forbidden', `owner: ${message}; yours are ${ownersOf(identity).join(', ')}`)
}
