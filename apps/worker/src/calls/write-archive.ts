import { writeArchive as kind, type WriteArchiveParams } from '@deblox/actions/calls/kinds'
import { DeadlineError, withDeadline } from '@deblox/actions/deadline'
import { DebloxError } from '@deblox/actions/errors'
import type { Answers } from './answerers'
import { textOf } from './text-of'

/** Docker lets nobody else at a container while it unpacks: whoever sends nothing for so long is not waited for, in milliseconds. */
const silentMs = 10_000

/**
 * Unpacks its input, a tar archive, in a folder of the container. Begins when it can be sent. Where the caller leaves in the
 * middle, what was unpacked by then stays.
 */
export const writeArchive: Answers<WriteArchiveParams> = {
  kind,
  writes: () => true,
  async answer({ params, call, context, signal }) {
    const { id, path, noOverwriteDirNonDir, copyUidGid } = params
    await call.begin()
    const query = { path, noOverwriteDirNonDir, copyUIDGID: copyUidGid }
    const asked = { method: 'PUT', path: `/containers/${id}/archive`, query, tar: paced(call.input, signal) } as const
    const answer = await context.streams.open(asked, signal)
    await textOf(answer)
    return {}
  },
}

/** The input, as long as it goes on. Throws `call_timeout`. */
export async function* paced(input: AsyncIterable<Buffer>, signal: AbortSignal, ms = silentMs): AsyncGenerator<Buffer> {
  const pieces = input[Symbol.asyncIterator]()
  for (;;) {
    const { done, value } = await withDeadline(ms, signal, () => pieces.next()).catch((error: unknown) => {
      throw error instanceof DeadlineError ? silent(ms) : error
    })
    if (done) return
    yield value
  }
}

const silent = (ms: number): DebloxError =>
  new DebloxError(
    'call_timeout',
    `archive: expected more of it within ${ms / 1000} s, as its container cannot be used while it is unpacked; got nothing`,
  )
