import { useFleet } from '../../../test/support/fleet-on-redis'
import { isFinished, type JobPayload, type JobRecord, payloadOf, type SlotOutcome } from './job'
import { dockTopic } from './names'
import { failed, made, recordOn } from './testing/record'
import { payloadIn } from './testing/taking'

const use = useFleet()
const jobs = () => use.fleet().jobs
const endings = () => use.fleet().endings
const topics = ['dock-1', 'dock-2', 'dock-3'].map(dockTopic)

/** A slot whose container was made and could not be started, as its worker tells. */
const unstarted = (slot: number, container: unknown = made(slot).result?.container): SlotOutcome => ({
  ...failed(slot),
  dock: `dock-${slot}`,
  error: { code: 'docker_error', status: 500, message: 'the port is taken', details: { container } },
})

/** A job that is to be undone, and has ended so; each slot had been claimed by its dock. */
async function ended(outcomes: SlotOutcome[], more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), {
    action: 'create-container',
    params: { image: 'busybox', name: 'web', start: true },
    numbered: true,
    onFailure: 'rollback',
    topics: topics.slice(0, outcomes.length),
    ...more,
  })
  await jobs().accept({ record })
  await finish(record, outcomes)
  return record
}

async function finish(record: JobRecord, outcomes: SlotOutcome[]): Promise<void> {
  for (const outcome of outcomes) {
    await use.fleet().placements.claim(record.origin ?? record.id, outcome.slot, outcome.dock ?? '', record.id)
    await jobs().finish(payloadOf(record, outcome.slot), outcome)
  }
  for (const topic of topics) await use.fleet().topics.queue(topic).drain()
}

async function undo({ id }: JobRecord): Promise<void> {
  await expect(endings().rollBack(id)).resolves.toBe(true)
  await use.redis().srem(use.fleet().keys.rollbacks, id)
}

async function deletions(): Promise<JobPayload[]> {
  const found = await Promise.all(topics.map((topic) => use.fleet().topics.queue(topic).getJobs(['waiting'])))
  return found.flat().map(payloadIn)
}

const undoneBy = async ({ id }: JobRecord) =>
  (await jobs().status(id)).slots.map((slot) => (isFinished(slot) ? slot.undoneBy : undefined))

const claims = async ({ id }: JobRecord, count: number) =>
  (await use.fleet().placements.read(Array.from({ length: count }, (_, n) => ({ job: id, slot: n + 1 })))).map(
    (claim) => claim?.hostname,
  )

const again = ({ id }: JobRecord) => endings().again(id, use.fleet().keys.replies('other'), Date.now())

describe('of a job that is undone, a container that could not be started', () => {
  test('is deleted as those that could, on its dock, if it is the slot’s', async () => {
    const record = await ended([made(1), unstarted(2), failed(3)])
    await undo(record)
    const found = await deletions()
    expect(found).toMatchObject(
      [1, 2].map((slot) => ({
        action: 'delete-container',
        dock: `dock-${slot}`,
        params: { id: String(slot).repeat(64), force: true, volumes: true },
        given: { labels: { 'deblox.job': record.id, 'deblox.slot': String(slot) } },
      })),
    )
    expect(await undoneBy(record)).toEqual([found[0]?.jobId, found[1]?.jobId, undefined])
    expect(await claims(record, 3)).toEqual(['', '', ''])
  })

  test('is deleted also where no slot has completed', async () => {
    const record = await ended([unstarted(1), unstarted(2)])
    await undo(record)
    expect((await deletions()).map(({ params }) => params['id'])).toEqual(['1'.repeat(64), '2'.repeat(64)])
  })

  test('is deleted once, although it is undone twice at the same time and again afterwards', async () => {
    const record = await ended([made(1), unstarted(2)])
    await Promise.all([endings().rollBack(record.id), endings().rollBack(record.id)])
    await undo(record)
    expect(await deletions()).toHaveLength(2)
  })

  test.each([
    ['is hidden with a secret that is in it', { id: `***${'2'.repeat(60)}`, name: 'web-2' }],
    ['is no text', { id: 2 }],
    ['is missing', 'web-2'],
    ['is nowhere', null],
  ])('and whose id %s is left to its dock, which has no claim to it any more', async (_, container) => {
    const record = await ended([made(1), unstarted(2, container)])
    expect(await claims(record, 2)).toEqual(['dock-1', 'dock-2'])
    await undo(record)
    expect(await deletions()).toMatchObject([{ dock: 'dock-1' }])
    expect(await claims(record, 2)).toEqual(['', ''])
  })

  test('stays where the job is to keep what it made', async () => {
    const record = await ended([made(1), unstarted(2)], { onFailure: 'keep' })
    await undo(record)
    expect(await deletions()).toEqual([])
    expect(await claims(record, 2)).toEqual(['dock-1', 'dock-2'])
  })

  test('is made anew by a retry, which waits until it is deleted', async () => {
    const record = await ended([made(1), unstarted(2)])
    await undo(record)
    const refused = { code: 'job_not_failed', status: 409 }
    for (const { jobId } of await deletions()) {
      await expect(again(record)).rejects.toMatchObject(refused)
      const deleting = (await jobs().status(jobId)).record
      await jobs().finish(payloadOf(deleting, 1), { ...made(1), result: null })
    }
    const { record: next, ended: kept } = await again(record)
    expect(next).toMatchObject({ retryOf: record.id, origin: record.id })
    expect(kept).toEqual([])
  })

  test('is the retry’s once there is one, whoever says then that it is still to be undone', async () => {
    const record = await ended([made(1), unstarted(2)])
    // As if nobody had been told that it was to be undone.
    await use.redis().srem(use.fleet().keys.rollbacks, record.id)
    const next = await again(record)
    await jobs().accept(next)
    await finish(next.record, [made(1), made(2)])
    await use.redis().sadd(use.fleet().keys.rollbacks, record.id)
    await undo(record)
    expect(await deletions()).toEqual([])
    expect(await claims(record, 2)).toEqual(['dock-1', 'dock-2'])
  })
})
