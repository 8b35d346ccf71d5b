import fc from 'fast-check'
import { known } from './testing/schedules/known'
import { outcomeOf } from './testing/schedules/outcome'
import { protocol, type Protocol, wrongWays } from './testing/schedules/protocol'
import { kinds, type Step } from './testing/schedules/steps'

const step = fc.record({ kind: fc.constantFrom(...kinds), dock: fc.nat(2), which: fc.nat(11) })
const schedule = fc.array(step, { maxLength: 120, size: 'max' })
const examples = Object.values(known).map((steps): [number, Step[]] => [2, steps])

/** Throws with the seed, the shortest schedule, and what is wrong after it. */
const expectEveryScheduleToEndWell = (tried: Protocol) =>
  fc.assert(everyScheduleEndsWell(tried), { numRuns: 25_000, examples })

const everyScheduleEndsWell = (tried: Protocol) =>
  fc.property(fc.integer({ min: 2, max: 3 }), schedule, (docks, steps) => {
    const { violations, trace } = outcomeOf(tried, docks, steps)
    if (violations.length > 0) throw new Error([...violations, 'after:', ...trace].join('\n  '))
  })

test('after every schedule of faults each slot has ended once, and has its one container or none', () => {
  expectEveryScheduleToEndWell(protocol)
}, 60_000)

describe('the model finds out when', () => {
  test.each(Object.entries(wrongWays))(
    '%s',
    (_, wrong) => {
      const found = fc.check(everyScheduleEndsWell({ ...protocol, ...wrong }), { numRuns: 20_000, seed: 3, examples })
      expect(found.failed).toBe(true)
    },
    60_000,
  )
})
