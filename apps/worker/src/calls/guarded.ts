import { withDeadline } from '@deblox/actions/deadline'
import { DebloxError } from '@deblox/actions/errors'
import { joined } from '@deblox/actions/joined'
import type { Answering } from '@deblox/fleet/calls/call'
import { type Forbiddable, requireAllowed } from '../dock-policy'
import { requireGiven } from '../rights'
import type { CallContext } from './context'
import { daemonAway, failed } from './failed'
import { onceMore } from './once-more'

/** How long it may take to look whether the caller's right is as the API believed, in milliseconds. */
const rightMs = 10_000

interface Asked {
  call: Answering
  context: CallContext
  permission: Forbiddable
  /** The container that is meant. */
  id: string | undefined
  /** It can change something: it ends with the lease. */
  writes?: boolean
}

/**
 * Answers a call, if the dock's policy and the caller's right let it, for as long as there are somebody who listens, a daemon
 * that answers, and a lease where one is needed. Throws DebloxErrors alone.
 */
export async function guarded<T>(
  { call, context, permission, id, writes = false }: Asked,
  answer: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  requireAllowed(context.policy, permission, context.hostname)
  if (!context.daemon.isOpen()) throw daemonAway()
  const lost = context.daemonLost()
  const leaseLost = context.leaseLost()
  const { signal, release } = joined(call.signal, lost, ...(writes ? [leaseLost] : []))
  try {
    if (id !== undefined) {
      await onceMore(() => withDeadline(rightMs, signal, (ending) => requireGiven(call.given, id, context, ending)))
    }
    return await answer(signal)
  } catch (error) {
    if (lost.aborted) throw daemonAway(lost.reason)
    if (writes && leaseLost.aborted) throw leaseGone()
    throw failed(error, context)
  } finally {
    release()
  }
}

const leaseGone = (): DebloxError =>
  new DebloxError('lease_lost', 'expected to hold the lease of this dock; it has run out, so the call ends')
