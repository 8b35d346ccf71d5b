import { type StatsParams, watchStats as kind } from '@deblox/actions/calls/kinds'
import type { Answers } from './answerers'
import { lines } from './lines'

/** No reading is near this long, in bytes. */
const maxReading = 1024 * 1024

/**
 * What a container uses, in Docker's own form: each reading is a line of JSON on channel 0. Docker compares two readings for the
 * use of CPUs, so that one takes a second or two. Of live ones a slow caller gets those for which he has room.
 */
export const watchStats: Answers<StatsParams> = {
  kind,
  writes: () => false,
  async answer({ params: { id, live }, call, context, signal }) {
    const query = live ? { stream: true } : { stream: false, 'one-shot': false }
    const answer = await context.streams.open({ method: 'GET', path: `/containers/${id}/stats`, query }, signal)
    await call.begin()
    let sending: Promise<void> | undefined
    let failure: { why: unknown } | undefined
    for await (const line of lines(answer, maxReading)) {
      if (failure) throw failure.why
      if (sending) continue
      sending = call.send(0, line).then(
        () => {
          sending = undefined
        },
        (why: unknown) => void (failure = { why }),
      )
    }
    await sending
    if (failure) throw failure.why
    return {}
  },
}
