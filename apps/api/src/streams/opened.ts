import type { Identity } from '@deblox/actions/access/identity'
import type { Permission } from '@deblox/actions/access/policies'
import type { CallKind } from '@deblox/actions/calls/kinds'
import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import { hostname } from '@deblox/actions/schemas'
import type { Call, Calls, Piece } from '@deblox/fleet/calls/call'
import type { Fleet } from '@deblox/fleet/fleet'
import type { IndexedRow } from '@deblox/fleet/index'
import type { Access } from '../access'
import type { Caller } from '../route'
import { CallerLeft } from './outgoing'
import type { Places } from './places'
import { whileAllowed } from './right'

/** What routes that ask docks while somebody listens are made with. */
export interface StreamDesk {
  fleet: Pick<Fleet, 'clock'>
  access: Access
  calls: Calls
  places: Places
  /** All containers of the fleet of which that holds. */
  rowsWhere(matches: (row: IndexedRow) => boolean): Promise<IndexedRow[]>
  /** Milliseconds between two looks whether a caller may go on, between two pings, and between two looks for new containers. */
  pace?: { right?: number; ping?: number; look?: number }
}

/** Which container, and the dock that holds it where its name alone does not say. */
export interface Meant {
  id: string
  hostname?: string
}

export const hostnameField = { hostname: hostname.description('The dock that holds it, where its name is not enough') }

/** A call that was opened for somebody. */
export interface Opened {
  row: IndexedRow
  call: Call
  /** Aborts when he has left, may not go on, or the API stops; its reason is what he is told then. */
  signal: AbortSignal
}

/** A dock must have begun to answer by then, in milliseconds. */
const withinMs = 15_000

/**
 * Opens a call about one container for whoever asks, if he may. Throws `container_not_found`, `ambiguous_container`, `forbidden`,
 * `too_many_streams`, and as `Calls.open` does.
 */
export async function openFor<P extends { id: string }>(
  { access, calls, places, pace }: StreamDesk,
  caller: Caller,
  kind: CallKind<P>,
  { id: reference, hostname: dock }: Meant,
  params: Omit<P, 'id'>,
  { within = withinMs, until }: { within?: number; until?: AbortSignal } = {},
): Promise<Opened> {
  const { identity, about, over } = caller
  const permission = kind.name as Permission
  about.object = reference
  if (dock !== undefined) about.dock = dock
  const { row, given } = await access.container(identity, permission, reference, dock)
  Object.assign(about, { object: row.id, dock: row.dock })
  const asked = validate(kind.params, { ...params, id: row.id }) as object
  places.take(identity.subject, over)
  // One that has been removed meanwhile was his: its end is the dock's to tell.
  const allowed = whileAllowed(caller, (now: Identity) => access.still(now, permission, row.id), pace?.right)
  const signal = until ? AbortSignal.any([allowed, until]) : allowed
  const call = await untilAborted(
    signal,
    calls.open({ dock: row.dock, kind: kind.name, params: asked, identity, given, signal, withinMs: within }),
  )
  return { row, call, signal }
}

/** What the dock sends, for as long as the caller may have it. Throws what `reasonOf` says, and how the call failed. */
export async function* piecesOf({ call, signal }: Pick<Opened, 'call' | 'signal'>): AsyncGenerator<Piece> {
  const output = call.output[Symbol.asyncIterator]()
  let done: boolean | undefined = false
  try {
    for (;;) {
      const next = await untilAborted(signal, output.next())
      done = next.done
      if (next.done) return
      yield next.value
    }
  } finally {
    if (!done) call.cancel()
  }
}

/** What a promise resolves to, unless the signal aborts first: then it throws what `reasonOf` says. */
export function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(reasonOf(signal))
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
    if (signal.aborted) stop()
    // Not `Promise.race` with one promise for all: that would keep something of each for as long as the stream lasts.
    else signal.addEventListener('abort', stop, { once: true })
  })
}

/** Why a stream must end: that its caller has left, or a failure that he can be told. */
export function reasonOf({ reason }: AbortSignal): Error {
  if (reason instanceof CallerLeft || reason instanceof DebloxError) return reason
  return new DebloxError(
    'stream_broken',
    'stream: expected this replica of the API to go on, but it stops: ask again',
    {
      cause: reason,
    },
  )
}

/** For what is not answered as a stream: whoever has left is told nothing, but the audit is. */
export async function wholly<T>(answering: Promise<T>): Promise<T> {
  try {
    return await answering
  } catch (error) {
    if (!(error instanceof CallerLeft)) throw error
    throw new DebloxError('stream_broken', 'request: expected its sender to wait for the answer, but he has left', {
      cause: error,
    })
  }
}
