import { useFleet } from '../../../test/support/fleet-on-redis'
import { payloadOf } from './job'
import { parseJobEvent } from './job-events'
import { recordOn } from './testing/record'

const use = useFleet()

test('they are read part by part, without what nobody of ours has written', async () => {
  const { jobs, keys } = use.fleet()
  const record = recordOn(keys.replies('replica'))
  await jobs.accept({ record })
  await use.redis().hincrby(keys.job(record.id), 'told', 1)
  await use.redis().rpush(keys.jobEvents(record.id), `3 0 ${Date.now()} explode 1 - {}`)
  await jobs.begin(payloadOf(record, 1), 3, 'dock-1')
  const first = await jobs.events(record.id, '', 3)
  expect(first.events.map(({ event }) => event)).toEqual(['accepted', 'placed'])
  const second = await jobs.events(record.id, first.last, 3)
  expect(second.events.map(({ event }) => event)).toEqual(['started'])
  expect(await jobs.events(record.id, second.last)).toEqual({ events: [], last: second.last })
})

test.each([
  ['no event', '1 0 1700000000000 explode 1 - {}'],
  ['no number', 'x 0 1700000000000 started 1 - {}'],
  ['no slot', '1 0 1700000000000 started -1 - {}'],
  ['no dock', '1 0 1700000000000 started 1 a\nb {}'],
  ['no time', '1 0 9999999999999999 started 1 - {}'],
  ['no JSON', '1 0 1700000000000 started 1 - {'],
  ['no object', '1 0 1700000000000 started 1 - null'],
  ['too much', `1 0 1700000000000 started 1 - {"why":"${'x'.repeat(70_000)}"}`],
])('an entry with %s is none', (_, entry) => {
  expect(parseJobEvent('1 0 1700000000000 started 1 - {}')).toBeDefined()
  expect(parseJobEvent(entry)).toBeUndefined()
})
