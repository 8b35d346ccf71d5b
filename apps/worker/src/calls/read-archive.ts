import { type ArchiveParams, readArchive as kind } from '@deblox/actions/calls/kinds'
import type { Answers } from './answerers'

/** Sends a file or folder of the container as a tar archive on channel 0. Begins with `{stat}`, what Docker says of its path. */
export const readArchive: Answers<ArchiveParams> = {
  kind,
  writes: () => false,
  async answer({ params: { id, path }, call, context, signal }) {
    const asked = { method: 'GET', path: `/containers/${id}/archive`, query: { path } } as const
    const answer = await context.streams.open(asked, signal)
    await call.begin({ stat: statIn(answer.headers['x-docker-container-path-stat']) })
    for await (const chunk of answer as AsyncIterable<Buffer>) await call.send(0, chunk)
    return {}
  },
}

/** Null where the daemon says nothing that can be read. */
function statIn(header: string | string[] | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(String(header), 'base64').toString())
  } catch {
    return null
  }
}
