import { setTimeout as wait } from 'node:timers/promises'
import { DebloxError } from '@deblox/actions/errors'
import type { JobPayload, SlotOutcome } from '@deblox/fleet/job'
import type { Jobs } from '@deblox/fleet/jobs'
import type { ClaimOf, Recorded } from '@deblox/fleet/outcomes'
import type { Logger } from 'pino'

/** Between two tries to write an outcome down, in milliseconds. */
const recordAgain = { first: 50, longest: 1_000 }

/** Writes down how a slot ended, again and again until Redis has it. Tells what became of that; never rejects. */
export async function untilRecorded(
  jobs: Pick<Jobs, 'finish'>,
  { payload, outcome, claim }: { payload: JobPayload; outcome: SlotOutcome; claim: ClaimOf | undefined },
  log: Logger,
): Promise<Recorded> {
  for (let pauseMs = recordAgain.first; ; pauseMs = Math.min(2 * pauseMs, recordAgain.longest)) {
    try {
      return await jobs.finish(payload, outcome, claim)
    } catch (failure) {
      log.error({ err: failure, job: payload.jobId }, 'the outcome could not be recorded; trying again')
      if (!(failure instanceof DebloxError && failure.code === 'redis_unavailable')) return 'ended'
      await wait(pauseMs)
    }
  }
}
