import { DebloxError } from '@deblox/actions/errors'
import { someId } from '../../../libs/actions/src/testing/context'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { eventually } from '../../../test/support/eventually'
import { retries } from './failure'
import { runAction } from './run-action'
import { NotHere } from './run-context'
import { slotOf, runContextDouble } from './testing/run-context-double'

const double = useDockerDouble()
const never = new AbortController().signal
const start = () => slotOf('start-container', { id: someId })
const startRoute = `POST /containers/${someId}/start`
const restart = () => slotOf('restart-container', { id: someId })
const restartRoute = `POST /containers/${someId}/restart`
const create = (more = {}) => slotOf('create-container', { image: 'busybox' }, more)
const createRoute = 'POST /containers/create'
const created = { status: 201, body: { Id: someId, Warnings: null } }
const asked = () => double.asked.map(({ what }) => what)
const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })

describe('what the daemon answers with a failure of its own', () => {
  const failing = { status: 500, body: { message: 'oh' } }

  test('is asked for again where that may be repeated, as often as the table says', async () => {
    double.answer(startRoute, failing)
    const { context } = runContextDouble(double.docker)
    await expect(runAction(start(), never, context)).rejects.toMatchObject({ statusCode: 500 })
    expect(asked()).toEqual(Array(retries['server-error'].tries).fill(startRoute))
  })

  test('and then does is done', async () => {
    double.answer(startRoute, failing, { status: 204 })
    const { context } = runContextDouble(double.docker)
    await expect(runAction(start(), never, context)).resolves.toMatchObject({ envelope: { statusCode: 204 } })
  })

  test('although it had done it, is found done: one container', async () => {
    const slot = create()
    double.answer(createRoute, failing, { status: 409, body: { message: 'name is taken' } })
    const labels = { 'deblox.job': slot.jobId, 'deblox.slot': '1', 'deblox.epoch': '1' }
    const body = { Id: someId, Config: { Labels: labels }, State: { Status: 'created' } }
    double.answer(`GET /containers/deblox-${slot.jobId}-1/json`, { status: 200, body })
    const { context } = runContextDouble(double.docker)
    await expect(runAction(slot, never, context)).resolves.toMatchObject({ container: { id: someId } })
  })

  test('is not asked for again where that would do it twice', async () => {
    double.answer(restartRoute, failing)
    const { context } = runContextDouble(double.docker)
    await expect(runAction(restart(), never, context)).rejects.toMatchObject({ statusCode: 500 })
    expect(asked()).toEqual([restartRoute])
  })

  test('is not waited for by one that is stopped between two tries', async () => {
    double.answer(startRoute, failing)
    const stop = new AbortController()
    const { context } = runContextDouble(double.docker)
    const running = runAction(start(), stop.signal, context)
    running.catch(() => undefined)
    await eventually(() => double.asked.length > 0)
    stop.abort(new Error('the worker stops'))
    await expect(running).rejects.toThrow('the worker stops')
  })
})

test('a lease that is lost between two tries is told as that: the job keeps its turn', async () => {
  double.answer(startRoute, { status: 500, body: { message: 'oh' } })
  const { context } = runContextDouble(double.docker)
  const lease = new AbortController()
  const running = runAction(start(), never, { ...context, leaseLost: () => lease.signal })
  running.catch(() => undefined)
  await eventually(() => double.asked.length > 0)
  lease.abort(new DebloxError('lease_lost', 'run out'))
  await expect(running).rejects.toMatchObject({ code: 'lease_lost' })
})

describe('a daemon that stops answering over an action', () => {
  test('is asked again once it is back, where that may be repeated', async () => {
    double.answer(startRoute, () => {}, { status: 304 })
    const { context, daemon, lost } = runContextDouble(double.docker)
    const running = runAction(start(), never, context)
    await eventually(() => double.asked.length === 1)
    const before = lost.daemon
    lost.daemon = new AbortController()
    daemon.set(false)
    before.abort(new Error('the daemon does not answer'))
    await expect(Promise.race([running, Promise.resolve('waits')])).resolves.toBe('waits')
    expect(double.asked).toHaveLength(1)
    daemon.set(true)
    await expect(running).resolves.toMatchObject({ envelope: { statusCode: 304 } })
    expect(asked()).toEqual([startRoute, startRoute])
  })

  test('leaves unknown what may not be done twice', async () => {
    double.answer(restartRoute, () => {})
    const { context, lost } = runContextDouble(double.docker)
    const running = runAction(restart(), never, context)
    await eventually(() => double.asked.length === 1)
    lost.daemon.abort(new Error('the daemon does not answer'))
    await expect(running).rejects.toMatchObject({ code: 'outcome_unknown' })
  })
})

describe('an action that waits for its daemon', () => {
  test('is not begun when its time is over', async () => {
    const { context, daemon } = runContextDouble(double.docker)
    daemon.set(false)
    await expect(runAction({ ...start(), expiresAt: 30 }, never, context)).rejects.toMatchObject({
      code: 'job_expired',
    })
    expect(asked()).toEqual([])
  })

  test('is not known to have done nothing when its time is over and it was begun before', async () => {
    const { context, daemon } = runContextDouble(double.docker)
    daemon.set(false)
    const begun = { ...start(), again: true, expiresAt: 30 }
    await expect(runAction(begun, never, context)).rejects.toMatchObject({ code: 'outcome_unknown' })
  })
})

describe('a create that cannot be done here', () => {
  test('since the daemon is away has claimed nothing', async () => {
    const { context, daemon, claim } = runContextDouble(double.docker)
    daemon.set(false)
    await expect(runAction(create(), never, context)).rejects.toThrow(NotHere)
    expect(claim()).toBeUndefined()
  })

  test('since the daemon was gone when it was asked gives its claim up: nothing was sent', async () => {
    const { context, daemon, claim } = runContextDouble(double.docker)
    const dial = jest.spyOn(context.docker.modem, 'dial').mockImplementationOnce((_, answer) => answer?.(refused, null))
    await expect(runAction(create(), never, context)).rejects.toThrow(NotHere)
    expect(daemon.isOpen()).toBe(false)
    expect(claim()).toBeUndefined()
    dial.mockRestore()
  })

  test('since the daemon is gone after it may have acted keeps its claim, and looks when it is back', async () => {
    double.answer(createRoute, (response) => response.destroy(), created)
    const { context, daemon, claim } = runContextDouble(double.docker)
    const { modem } = context.docker
    const dial = modem.dial.bind(modem)
    let calls = 0
    const spy = jest.spyOn(modem, 'dial').mockImplementation((options, answer) => {
      if (++calls === 2) answer?.(refused, null)
      else dial(options, answer)
    })
    const shut = new Promise<void>((resolve) => daemon.onChange((open) => open || resolve()))
    const running = runAction(create(), never, context)
    running.catch(() => undefined)
    await Promise.race([shut, running])
    expect(claim()).toEqual({ hostname: 'here', epoch: 1 })
    daemon.set(true)
    await expect(running).resolves.toMatchObject({ envelope: { statusCode: 201 } })
    spy.mockRestore()
  })

  test('since too many wait for pulls gives its claim up', async () => {
    const missing = { status: 404, body: { message: 'No such image: busybox' } }
    double.answer(createRoute, missing)
    double.answer('GET /images/busybox/json', missing)
    const { context, claim } = runContextDouble(double.docker)
    const full = new NotHere('too many jobs wait for pulls here')
    await expect(runAction(create(), never, { ...context, pullOnce: () => Promise.reject(full) })).rejects.toThrow(
      NotHere,
    )
    expect(claim()).toBeUndefined()
  })

  test('keeps its claim where a try before may have reached the daemon, and waits for that', async () => {
    double.answer(createRoute, created)
    const { context, daemon, claim } = runContextDouble(double.docker)
    daemon.set(false)
    const running = runAction(create({ again: true }), never, context)
    await eventually(() => expect(claim()).toEqual({ hostname: 'here', epoch: 1 }))
    expect(asked()).toEqual([])
    daemon.set(true)
    await expect(running).resolves.toMatchObject({ envelope: { statusCode: 201 } })
    expect(claim()).toEqual({ hostname: 'here', epoch: 1 })
  })
})

describe('a job that tries another one again', () => {
  test('acts as that one: its claim, its name, its labels', async () => {
    double.answer(createRoute, created)
    const { context } = runContextDouble(double.docker)
    const claim = jest.spyOn(context.fleet.placements, 'claim')
    await runAction(create({ jobId: 'job-8', origin: 'job-7' }), never, context)
    expect(claim).toHaveBeenCalledWith('job-7', 1, 'here', 'job-8', {
      payload: expect.objectContaining({ jobId: 'job-8' }),
      reason: { reason: 'named', why: expect.any(String) },
    })
    expect(double.asked).toMatchObject([
      { query: { name: 'deblox-job-7-1' }, body: { Labels: { 'deblox.job': 'job-7', 'deblox.slot': '1' } } },
    ])
  })
})
