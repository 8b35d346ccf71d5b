import type { Action } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import type { Calls } from '@deblox/fleet/calls/call'
import type { Fleet } from '@deblox/fleet/fleet'
import type { Envelope } from '@deblox/fleet/job'
import { dockOfTopic } from '@deblox/fleet/names'
import { deal, readyDocks } from '@deblox/fleet/placement'
import type { Address } from './address'
import { asFailure } from './errors'
import { respondAsync } from './prefer'
import type { Caller } from './route'
import type { ReadOutcome } from './shape'

export type Ask = (action: Action, request: object, caller: Caller) => Promise<ReadOutcome>

/** Beyond what an action gives its daemon, the way there and back may take so long, in milliseconds. */
const wayMs = 2_000

/** Whoever waits shorter than this for a read could as well not have asked, in milliseconds. */
const leastMs = 500

/** Makes the function that has one dock answer a read, at once or not at all: a read is no job. */
export function askOn(fleet: Pick<Fleet, 'docks' | 'placements'>, address: Address, calls: Calls): Ask {
  /** Of docks that are ready, the next in turn. Throws `no_dock_ready`. */
  const anyDock = async (): Promise<string> => {
    const ready = readyDocks(await fleet.docks.list())
    if (ready.length === 0) throw new DebloxError('no_dock_ready', 'expected a dock that is ready to answer, got none')
    const [dock = ''] = deal(1, ready, await fleet.placements.takeTurn(1))
    return dock
  }

  return async (action, request, caller) => {
    const { identity, prefer, over } = caller
    const { params, topics, given = {}, view } = await address(action, request, caller)
    const dock = dockOfTopic(topics[0] ?? '') ?? (await anyDock())
    const ms = (typeof action.timeoutMs === 'function' ? action.timeoutMs(params) : action.timeoutMs) + wayMs
    const isBounded = prefer.applied.startsWith('wait=')
    // It cannot be looked up later: so it is not promised either.
    if (prefer.applied === respondAsync) prefer.applied = ''
    try {
      const answer = await calls.ask({
        dock,
        kind: action.name,
        params,
        identity,
        given,
        ...(view && { view }),
        signal: over,
        withinMs: isBounded ? Math.min(ms, Math.max(prefer.waitMs, leastMs)) : ms,
      })
      return { dock, envelope: (answer as { envelope: Envelope }).envelope }
    } catch (error) {
      // Of Redis nothing can be had from any dock.
      if (!(error instanceof DebloxError) || error.code === 'redis_unavailable') throw error
      return { dock, error: asFailure(error) }
    }
  }
}
