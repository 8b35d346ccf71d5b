import { useFleet } from '../../../test/support/fleet-on-redis'
import { type JobRecord, payloadOf } from './job'
import { dockTopic } from './names'
import { completed, recordOn } from './testing/record'

const use = useFleet()
const jobs = () => use.fleet().jobs
const topic = dockTopic('dock-1')

async function accepted(more?: Partial<JobRecord>): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), more)
  await jobs().accept({ record })
  return record
}

describe('a slot', () => {
  test('is marked as begun once', async () => {
    const payload = payloadOf(await accepted(), 1)
    await expect(jobs().markBegun(payload)).resolves.toEqual({ before: false })
    await expect(jobs().markBegun(payload)).resolves.toEqual({ before: true })
    await expect(jobs().wasBegun(payload)).resolves.toBe(true)
    await expect(jobs().wasBegun({ ...payload, slot: 2 })).resolves.toBe(false)
    await expect(jobs().markBegun({ ...payload, slot: 2 })).resolves.toEqual({ before: false })
    await jobs().unmarkBegun(payload)
    await expect(jobs().markBegun(payload)).resolves.toEqual({ before: false })
  })

  test('of which nothing is recorded has not ended, was not cancelled, and was not begun before', async () => {
    const record = await accepted()
    const nothing = { outcome: null, cancelled: false, starts: 0 }
    await expect(jobs().begin(payloadOf(record, 1))).resolves.toEqual({ ...nothing, counted: true })
    await expect(jobs().outcome(payloadOf(record, 1))).resolves.toBeNull()
  })

  test('that has ended tells whoever is about to begin it', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), completed())
    await expect(jobs().begin(payloadOf(record, 1))).resolves.toMatchObject({ outcome: completed(), counted: false })
    await expect(jobs().starts(payloadOf(record, 1))).resolves.toBe(0)
  })

  test('counts how often it was begun and not given back, for itself alone', async () => {
    const record = await accepted({ topics: [topic, topic] })
    const [one, other] = [payloadOf(record, 1), payloadOf(record, 2)]
    for (const _ of [1, 2]) await jobs().countStart(one)
    await jobs().uncountStart(one)
    await expect(jobs().begin(one)).resolves.toMatchObject({ starts: 1, counted: true })
    await expect(jobs().starts(one)).resolves.toBe(2)
    await expect(jobs().starts(other)).resolves.toBe(0)
  })

  test('that was begun so often is not counted at once, nor is one that is not to be begun', async () => {
    const [record, cancelled] = [await accepted(), await accepted()]
    for (const counted of [true, true, false, false]) {
      await expect(jobs().begin(payloadOf(record, 1), 2)).resolves.toMatchObject({ counted })
    }
    await expect(jobs().starts(payloadOf(record, 1))).resolves.toBe(2)
    await use.redis().hset(use.fleet().keys.job(cancelled.id), 'cancel', 'somebody asked')
    const beginning = { cancelled: true, starts: 0, counted: false }
    await expect(jobs().begin(payloadOf(cancelled, 1))).resolves.toMatchObject(beginning)
  })
})
