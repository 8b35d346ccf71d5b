import fc from 'fast-check'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { change, type ClaimCommand, settle, type SlotState, tell } from './claim'
import { payloadOf } from './job'
import { times } from './names'
import { completed, envelopeOf, recordOn } from './testing/record'

const use = useFleet()

type Command = ClaimCommand | { do: 'end' }

const dock = fc.constantFrom('dock-1', 'dock-2', 'dock-3')
const epoch = fc.integer({ min: 1, max: 4 })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), hostname: dock }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('reclaim' as const),
      hostname: dock,
      was: fc.record({ hostname: dock, epoch }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), hostname: dock, epoch }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const) }) },
)

const commandsOf = (job: string) => {
  const { placements, keys } = use.fleet()
  return async (command: Command): Promise<unknown> => {
    switch (command.do) {
      case 'claim':
        return placements.claim(job, 1, command.hostname)
      case 'reclaim':
        return placements.reclaim(job, 1, command.hostname, command.was)
      case 'release':
        return placements.release(job, 1, command.hostname, command.epoch)
      case 'revoke':
        return placements.revoke(job, 1).then(() => null)
      case 'end':
        return use
          .redis()
          .hset(keys.job(job), 'slot:1', '{}')
          .then(() => null)
    }
  }
}

/** What Redis is to answer. */
function answerTo({ do: what }: Command, before: SlotState, after: SlotState): unknown {
  if (what === 'claim' || what === 'reclaim') return tell(after)
  return what === 'release' ? before !== after : null
}

test('after every sequence of commands Redis says what the pure transitions say', async () => {
  let jobs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 20, size: 'max' }), async (commands) => {
      const job = `job-${++jobs}`
      const run = commandsOf(job)
      let state: SlotState = { claim: null, ended: false }
      for (const command of commands) {
        const before = state
        state = command.do === 'end' ? { ...state, ended: true } : change(state, command)
        expect({ command, answer: await run(command) }).toEqual({ command, answer: answerTo(command, before, state) })
        expect(await use.fleet().placements.read([{ job, slot: 1 }])).toEqual([state.claim])
      }
    }),
    { numRuns: 1_000 },
  )
}, 60_000)

test('a slot whose outcome was recorded is claimed by nobody any more', async () => {
  const { jobs, placements } = use.fleet()
  const { record } = await jobs.accept({ record: recordOn('replies') })
  const { epoch } = await placements.claim(record.id, 1, 'dock-1')
  await jobs.finish(payloadOf(record, 1), {
    ...completed(),
    result: { envelope: envelopeOf('made'), container: { id: 'a', name: 'web' } },
  })
  const was = { hostname: 'dock-1', epoch }
  const ended = settle({ claim: was, ended: false }, was, true) as SlotState
  expect(await placements.reclaim(record.id, 1, 'dock-2', was)).toEqual(tell(ended))
})

test('a claim that superseded another is kept for as long as a dock may be away', async () => {
  const { placements, keys } = use.fleet()
  const first = await placements.claim('job', 1, 'dock-1')
  await placements.reclaim('job', 1, 'dock-2', first)
  expect(await use.redis().pttl(keys.placement('job', 1))).toBeGreaterThan(times.placement)
})
