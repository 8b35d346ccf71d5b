import type { IncomingMessage } from 'node:http'
import type { LogsParams } from '@deblox/actions/calls/kinds'
import type { CallContext } from './context'

/** Docker's own answer: always with times, which tell where to go on. */
export function openLog(params: LogsParams, context: CallContext, signal: AbortSignal): Promise<IncomingMessage> {
  const { id, follow, since, until, tail, stdout, stderr } = params
  const query = { follow, stdout, stderr, timestamps: true, since, until, tail }
  return context.streams.open({ method: 'GET', path: `/containers/${id}/logs`, query }, signal)
}
