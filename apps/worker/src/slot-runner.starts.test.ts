import { DebloxError } from '@deblox/actions/errors'
import { newJobId, payloadOf } from '@deblox/fleet/job'
import { takenOf } from '../../../libs/fleet/src/testing/taking'
import { someId } from '../../../libs/actions/src/testing/context'
import { eventually } from '../../../test/support/eventually'
import { useSlots } from './testing/slots-on-redis'

const { use, double, jobs, asked, accepted, running, outcome, startsOf } = useSlots()
const startRoute = `POST /containers/${someId}/start`

describe('the attempts of a slot', () => {
  test('are how often it was begun, not how often it was taken', async () => {
    double.answer(startRoute, { status: 204 })
    const record = await accepted()
    const { run, runner } = running()
    await jobs().countStart(payloadOf(record, 1))
    await run(record, { takes: 5 })
    await runner.allRecorded()
    await expect(outcome(record)).resolves.toMatchObject({ attempts: 2, startedAt: expect.any(Number) })
  })

  test('are none where it ends before it is begun: it has not started then', async () => {
    const record = await accepted('start-container', { acceptedAt: 1, expiresAt: 2 })
    const { run, runner } = running()
    await expect(run(record, { takes: 2 })).rejects.toThrow('job_expired')
    await runner.allRecorded()
    await expect(outcome(record)).resolves.toMatchObject({ attempts: 0, startedAt: null })
    const left = await accepted()
    const why = new DebloxError('job_cancelled', 'it was cancelled')
    await expect(runner.endUnbegun(payloadOf(left, 1), why)).rejects.toThrow('job_cancelled')
    await expect(outcome(left)).resolves.toMatchObject({ state: 'cancelled', attempts: 0, startedAt: null })
  })

  test('are counted by the dock that begins it: who hands it on, as itself, has not', async () => {
    const { docks, placements, topics } = use.fleet()
    const record = await accepted('create-container', { params: { image: 'busybox' }, origin: newJobId() })
    jest.spyOn(docks, 'isLeased').mockResolvedValue(true)
    await placements.claim(record.origin ?? '', 1, 'there', record.id)
    await expect(running().run(record)).resolves.toEqual({ forwardedTo: 'deblox.docker.there' })
    await expect(startsOf(record)).resolves.toBe(0)
    const [job] = await topics.queue('deblox.docker.there').getJobs(['waiting'])
    expect(job?.data).toEqual(takenOf(record, 1).signed)
    expect(asked()).toEqual([])
  })
})

describe('what kills workers', () => {
  test('fails when it is begun for the third time, and is not begun', async () => {
    const record = await accepted()
    const { run, runner } = running()
    for (const _ of [1, 2, 3]) await jobs().countStart(payloadOf(record, 1))
    await expect(run(record, { takes: 3 })).rejects.toThrow('worker_died')
    await runner.allRecorded()
    await expect(outcome(record)).resolves.toMatchObject({
      state: 'failed',
      attempts: 3,
      error: { code: 'worker_died', status: 500 },
    })
    expect(asked()).toEqual([])
  })

  test('is not what was only taken three times and never begun', async () => {
    double.answer(startRoute, { status: 204 })
    await expect(running().run(await accepted(), { takes: 7 })).resolves.toMatchObject({ envelope: {} })
  })

  test('is looked for one at a time: what else was under way then does not share its end', async () => {
    double.answer(startRoute, () => {})
    const [one, other, harmless] = [await accepted(), await accepted(), await accepted()]
    const { run } = running()
    for (const record of [one, one, other, other]) await jobs().countStart(payloadOf(record, 1))
    const stop = new AbortController()
    const all = [one, other, harmless].map((record) => run(record, { takes: 2, stop: stop.signal }))
    await eventually(() => expect(double.asked).toHaveLength(2))
    await expect(startsOf(one)).resolves.toBe(3)
    // It has not had its turn, and may be begun once more after the next death.
    await expect(startsOf(other)).resolves.toBe(2)
    stop.abort(new Error('the worker stops'))
    await Promise.allSettled(all)
  })
})
