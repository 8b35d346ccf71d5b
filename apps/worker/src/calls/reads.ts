import { withDeadline } from '@deblox/actions/deadline'
import type { ActionContext } from '@deblox/actions/define-action'
import { actions } from '@deblox/actions/registry'
import type { Answerer, Answering } from '@deblox/fleet/calls/call'
import { envelopeOf } from '@deblox/fleet/envelope'
import { capBy } from '../dock-policy'
import { readAction } from '../run-action'
import type { CallContext } from './context'
import { guarded } from './guarded'
import { onceMore } from './once-more'

/** An end beyond so many bytes goes as pieces, which wait for room. */
const maxEnd = 256 * 1024
const pieceLength = 64 * 1024

/** The actions that only read, each as a call of its name: it ends with `{envelope}`, as a job does. */
export const reads = (context: CallContext): [string, Answerer][] =>
  [...actions.values()]
    .filter(({ effect, target }) => effect === 'read' && target !== 'cluster')
    .map(({ name }) => [name, (call) => read(name, call, context)])

async function read(name: string, call: Answering, context: CallContext): Promise<unknown> {
  const { action, params } = readAction({ action: name, params: call.params as Record<string, unknown> })
  return guarded({ call, context, permission: action, id: params.id }, async (signal) => {
    const ms = typeof action.timeoutMs === 'function' ? action.timeoutMs(params) : action.timeoutMs
    const run = (ending: AbortSignal) => action.run(params, actionContext(call, context, ending))
    const result = await onceMore(() => withDeadline(ms, signal, run))
    return endOf(call, { envelope: envelopeOf(result, context.hostname) })
  })
}

/** What an action is told of a job: a call is none, and a read asks for nothing of it. */
const noJob = { id: 'call', slot: 1, numbered: false, epoch: 0 }

const actionContext = ({ identity, view }: Answering, context: CallContext, signal: AbortSignal): ActionContext => ({
  docker: context.docker,
  dock: context.hostname,
  owners: context.owners,
  rules: capBy(context.policy)(context.defaultRules),
  ...(view && { view }),
  signal,
  job: { ...noJob, owner: identity.subject, acceptedAt: context.fleet.clock.now() },
  docks: context.fleet.docks,
  pullOnce: () => Promise.reject(new Error('expected a read to pull no image')),
})

/** The end itself, or nothing where it is so large that it was sent as the call's output: whoever asked reads it as JSON. */
async function endOf(call: Answering, end: object): Promise<object | undefined> {
  const text = Buffer.from(JSON.stringify(end))
  if (text.length <= maxEnd) return end
  for (let at = 0; at < text.length; at += pieceLength) await call.send(0, text.subarray(at, at + pieceLength))
  return undefined
}
