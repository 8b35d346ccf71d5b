import { callKinds, type CallKind } from '@deblox/actions/calls/kinds'
import { validate } from '@deblox/actions/explain'
import type { Answerer } from '@deblox/fleet/calls/call'
import { attachContainer } from './attach-container'
import type { CallContext, Granted } from './context'
import { execContainer } from './exec-container'
import { exportContainer } from './export-container'
import { guarded } from './guarded'
import { readArchive } from './read-archive'
import { readLogs } from './read-logs'
import { reads } from './reads'
import { waitContainer } from './wait-container'
import { watchStats } from './watch-stats'
import { writeArchive } from './write-archive'

export type { CallContext } from './context'

/** How a kind of call is answered beside the daemon. */
export interface Answers<P extends object> {
  kind: CallKind<P>
  /** Whether it can change something: then it is only answered while the dock's lease is held. */
  writes(params: P): boolean
  answer(granted: Granted<P>): Promise<unknown>
}

/** What this dock answers, by the name of the call. */
export function answerersFor(context: CallContext): ReadonlyMap<string, Answerer> {
  const others = [
    of(readLogs, context),
    of(watchStats, context),
    of(waitContainer, context),
    of(execContainer, context),
    of(attachContainer, context),
    of(readArchive, context),
    of(writeArchive, context),
    of(exportContainer, context),
  ]
  const answerers = new Map([...reads(context), ...others])
  const missing = [...callKinds.keys()].filter((name) => !answerers.has(name))
  if (missing.length > 0)
    throw new Error(`calls: expected an answerer for each kind, got none for ${missing.join(', ')}`)
  return answerers
}

function of<P extends object & { id: string }>(answers: Answers<P>, context: CallContext): [string, Answerer] {
  const { kind } = answers
  const permission = { name: kind.name, target: 'container' } as const
  return [
    kind.name,
    async (call) => {
      const params = validate(kind.params, call.params, { convert: false })
      const asked = { call, context, permission, id: params.id, writes: answers.writes(params) }
      return guarded(asked, (signal) => answers.answer({ params, call, context, signal }))
    },
  ]
}
