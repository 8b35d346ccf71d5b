import { type ExportParams, exportContainer as kind } from '@deblox/actions/calls/kinds'
import type { Answers } from './answerers'

/** Sends the container's files as a tar archive on channel 0. */
export const exportContainer: Answers<ExportParams> = {
  kind,
  writes: () => false,
  async answer({ params: { id }, call, context, signal }) {
    const answer = await context.streams.open({ method: 'GET', path: `/containers/${id}/export` }, signal)
    await call.begin()
    for await (const chunk of answer as AsyncIterable<Buffer>) await call.send(0, chunk)
    return {}
  },
}
