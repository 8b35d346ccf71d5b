import { DebloxError } from '@deblox/actions/errors'
import { payloadOf } from '@deblox/fleet/job'
import { copiedResult, maxResult } from '@deblox/fleet/outcomes'
import { someId } from '../../../libs/actions/src/testing/context'
import { eventually } from '../../../test/support/eventually'
import { NotHere } from './run-context'
import { useSlots } from './testing/slots-on-redis'

const { double, jobs, asked, accepted, running, outcome, startsOf } = useSlots()
const startRoute = `POST /containers/${someId}/start`
const restartRoute = `POST /containers/${someId}/restart`
const inspectRoute = `GET /containers/${someId}/json`

describe('a slot', () => {
  test('that is done tells its result, and has it recorded with its dock and its times', async () => {
    double.answer(startRoute, { status: 204 })
    const record = await accepted()
    const { run, runner } = running()
    await expect(run(record)).resolves.toMatchObject({ envelope: { dockerInstance: 'here', statusCode: 204 } })
    await runner.allRecorded()
    const found = await outcome(record)
    expect(found).toMatchObject({ state: 'completed', dock: 'here', attempts: 1, error: null })
    expect(found?.startedAt).toBeLessThanOrEqual(found?.finishedAt ?? 0)
  })

  test('that has ended before is not run again', async () => {
    double.answer(startRoute, { status: 204 })
    const record = await accepted()
    const { run, runner } = running()
    await run(record)
    await runner.allRecorded()
    await expect(run(record, { takes: 2 })).resolves.toEqual({ endedBefore: true })
    expect(asked()).toEqual([startRoute])
  })

  test('that was meant for another machine of this name fails, and nothing is done', async () => {
    double.answer(startRoute, { status: 204 })
    const record = await accepted()
    const { run, runner } = running()
    await expect(run(record, { meantSince: record.acceptedAt + 1 })).rejects.toThrow('dock_replaced')
    await runner.allRecorded()
    await expect(outcome(record)).resolves.toMatchObject({ state: 'failed', error: { code: 'dock_replaced' } })
    await expect(run(await accepted(), { meantSince: 1 })).resolves.toMatchObject({ envelope: {} })
    expect(asked()).toEqual([startRoute])
  })

  test('that is stopped with its worker has not ended, and may be begun again as often as before', async () => {
    double.answer(startRoute, () => {})
    const record = await accepted()
    const { run, runner } = running()
    const stop = new AbortController()
    const stopped = run(record, { takes: 2, stop: stop.signal })
    await eventually(() => double.asked.length === 1)
    await expect(startsOf(record)).resolves.toBe(1)
    stop.abort(new Error('the worker stops'))
    await expect(stopped).rejects.toThrow('the worker stops')
    await runner.uncount(payloadOf(record, 1))
    await expect(startsOf(record)).resolves.toBe(0)
    await expect(outcome(record)).resolves.toBeNull()
  })

  test('that this dock cannot do now has not ended, and its start does not count', async () => {
    const record = await accepted('pull-image', { params: { image: 'busybox' } })
    const { run, context } = running()
    context.pullOnce = () => Promise.reject(new NotHere('too many'))
    await expect(run(record, { takes: 2 })).rejects.toThrow(NotHere)
    await expect(startsOf(record)).resolves.toBe(0)
    await expect(outcome(record)).resolves.toBeNull()
  })
})

describe('a slot beyond its deadline', () => {
  const late = { acceptedAt: 1, expiresAt: 2 }

  test('ends expired, and nothing is done', async () => {
    const record = await accepted('start-container', late)
    const { run, runner } = running()
    await expect(run(record)).rejects.toThrow('job_expired')
    await runner.allRecorded()
    await expect(outcome(record)).resolves.toMatchObject({ state: 'expired', error: { code: 'job_expired' } })
    expect(asked()).toEqual([])
  })

  test('has removed what an earlier try of it made', async () => {
    const record = await accepted('create-container', { ...late, params: { image: 'busybox' } })
    const name = `deblox-${record.id}-1`
    const labels = { 'deblox.job': record.id, 'deblox.slot': '1' }
    const body = { Id: someId, Config: { Labels: labels }, State: { Status: 'created' } }
    double.answer(`GET /containers/${name}/json`, { status: 200, body })
    double.answer(`DELETE /containers/${someId}`, { status: 204 })
    await expect(running().run(record, { takes: 2 })).rejects.toThrow('job_expired')
    expect(asked()).toContain(`DELETE /containers/${someId}`)
  })

  test('is not known to have done nothing where it may not be done twice and had begun', async () => {
    const record = await accepted('restart-container', late)
    await jobs().markBegun(payloadOf(record, 1))
    await expect(running().run(record, { takes: 2 })).rejects.toThrow('outcome_unknown')
    expect(asked()).toEqual([])
  })

  test('has done nothing where it may not be done twice and had not begun', async () => {
    const record = await accepted('restart-container', late)
    await expect(running().run(record, { takes: 2 })).rejects.toThrow('job_expired')
  })
})

describe('a result', () => {
  const inspected = (length: number) => {
    double.answer(inspectRoute, { status: 200, body: { Id: someId, filler: 'x'.repeat(length) } })
    return accepted('inspect-container')
  }

  test('that is too large fails, and says so', async () => {
    const record = await inspected(maxResult)
    const { run, runner } = running()
    await expect(run(record)).rejects.toThrow('result_too_large')
    await runner.allRecorded()
    await expect(outcome(record)).resolves.toMatchObject({ state: 'failed', error: { code: 'result_too_large' } })
  }, 20_000)

  test.each([100_000, copiedResult])(
    'of %d characters is not kept by BullMQ, and is there for whoever waits',
    async (n) => {
      const record = await inspected(n)
      await expect(running().run(record)).resolves.toEqual({ kept: 'elsewhere' })
      await expect(jobs().status(record.id)).resolves.toMatchObject({
        slots: [{ state: 'completed', result: { envelope: { Response: { Body: { filler: 'x'.repeat(n) } } } } }],
      })
    },
  )

  test('that is small is kept by both', async () => {
    await expect(running().run(await inspected(100))).resolves.toMatchObject({ envelope: { statusCode: 200 } })
  })
})

describe('an outcome that Redis refuses', () => {
  test('is written down when Redis is back, and the slot is not run again meanwhile', async () => {
    double.answer(restartRoute, { status: 204 })
    const record = await accepted('restart-container')
    const { run, runner } = running()
    let away = true
    const { finish } = jobs()
    let tries = 0
    const spy = jest.spyOn(jobs(), 'finish').mockImplementation(async (...args) => {
      tries++
      if (away) throw new DebloxError('redis_unavailable', 'away')
      return finish(...args)
    })
    await run(record)
    const again = run(record, { takes: 2 })
    await eventually(() => tries >= 3)
    expect(asked()).toEqual([restartRoute])
    away = false
    await expect(again).resolves.toEqual({ endedBefore: true })
    await runner.allRecorded()
    await expect(outcome(record)).resolves.toMatchObject({ state: 'completed' })
    spy.mockRestore()
  })
})
