import { type JobRecord, payloadOf, type SlotOutcome } from '@deblox/fleet/job'
import { pino } from 'pino'
import { someId } from '../../../../libs/actions/src/testing/context'
import { takenOf } from '../../../../libs/fleet/src/testing/taking'
import { useDockerDouble } from '../../../../libs/actions/src/testing/docker-double'
import { recordOn } from '../../../../libs/fleet/src/testing/record'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { SlotRunner, type Taken } from '../slot-runner'
import { contextOnRedis } from './context-on-redis'

const never = new AbortController().signal

/** How a slot is taken for the first time, if nothing else is said. */
const taken = (more: Partial<Taken> = {}): Taken => ({
  takes: 1,
  stop: never,
  cancel: never,
  meantSince: 0,
  ...more,
})

/** Accepted jobs of one slot on a real Redis, and what runs them against a daemon's double, for the tests of one file. */
export function useSlots() {
  const use = useFleet()
  const double = useDockerDouble()
  const jobs = () => use.fleet().jobs
  return {
    use,
    double,
    jobs,
    asked: () => double.asked.map(({ what }) => what),

    accepted: async (action = 'start-container', more: Partial<JobRecord> = {}): Promise<JobRecord> => {
      const record = recordOn(use.fleet().keys.replies('replica'), { action, params: { id: someId }, ...more })
      await jobs().accept({ record })
      return record
    },

    running: () => {
      const { context, ...rest } = contextOnRedis(use.fleet(), double.docker)
      const runner = new SlotRunner(context, pino({ level: 'silent' }))
      const run = (record: JobRecord, how?: Partial<Taken>) => runner.run(takenOf(record, 1), taken(how))
      return { runner, run, context, ...rest }
    },

    /** How its only slot ended; null where that is not recorded. */
    outcome: (record: JobRecord): Promise<SlotOutcome | null> => jobs().outcome(payloadOf(record, 1)),

    startsOf: (record: JobRecord) => jobs().starts(payloadOf(record, 1)),
  }
}
