import { shows, type View } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import { policyOf } from '@deblox/actions/access/policies'
import type { Change } from '@deblox/fleet/changes'
import type { IndexedRow } from '@deblox/fleet/objects'
import { isHisJob } from '../access'
import type { ServerEvent } from '../streams/sse'
import { carries } from './filters'

/** Who listens, and what he is shown of lists. */
export interface Listener {
  identity: Identity
  view: View | undefined
}

/** Of what he wants to hear; of everything where nothing is said. */
export interface Wanted {
  kind?: readonly string[]
  dock?: readonly string[]
  owner?: readonly string[]
  label?: readonly string[]
}

/** The row that a copy has now, for what was too long for the stream. */
export type RowNow = (dock: string, id: string) => IndexedRow | undefined

export const toldKinds = ['container', 'dock', 'job'] as const

/** The event of a change, or undefined where it is not for him: he hears of no more than he would be shown if he asked. */
export function eventOf(
  change: Change,
  { identity, view }: Listener,
  { kind, dock, owner, label }: Wanted,
  rowNow: RowNow,
): ServerEvent | undefined {
  if (kind && !kind.includes(change.kind)) return undefined
  if (dock && !dock.includes(change.dock)) return undefined
  switch (change.kind) {
    case 'container': {
      const row = change.row ?? (change.op === 'set' ? (rowNow(change.dock, change.object) ?? null) : null)
      // Whose it was nobody knows any more.
      if (row === null) return view === undefined && !owner && !label ? told(change, null) : undefined
      if (!shows(view, row)) return undefined
      if (owner && !(row.owner !== null && owner.includes(row.owner))) return undefined
      return label?.every((one) => carries(one)(row)) === false ? undefined : told(change, row)
    }
    case 'dock':
      if (owner || label || !policyOf('GET /v1/docks').roles.includes(identity.role)) return undefined
      return told(change, change.row)
    case 'job': {
      const { row, op } = change
      // Every dock may write to the stream: what it writes must not be taken for the frame of an event.
      if (label || !row || !/^[a-z-]{1,30}$/.test(op)) return undefined
      const { actor, owner: ofJob } = row
      if (typeof actor !== 'string' || typeof ofJob !== 'string' || !isHisJob(identity, { actor, owner: ofJob })) {
        return undefined
      }
      return owner && !owner.includes(ofJob) ? undefined : told(change, row)
    }
    // Whose images, volumes and networks are nobody can say.
    case 'image':
    case 'volume':
    case 'network':
      return undefined
  }
}

function told({ id, at, kind, op, dock, object }: Change, row: object | null): ServerEvent {
  const what = op === 'set' ? 'changed' : op
  return { id, event: `${kind}.${what}`, data: { at, kind, id: object, dock, row } }
}
