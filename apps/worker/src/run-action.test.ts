import { DebloxError } from '@deblox/actions/errors'
import { someId } from '../../../libs/actions/src/testing/context'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { readAction, runAction } from './run-action'
import { slotOf, runContextDouble } from './testing/run-context-double'

const double = useDockerDouble()
const never = new AbortController().signal

const contextDouble = (given?: Parameters<typeof runContextDouble>[1]) => runContextDouble(double.docker, given)

const start = slotOf('start-container', { id: someId })
const startRoute = `POST /containers/${someId}/start`
const restart = slotOf('restart-container', { id: someId })
const restartRoute = `POST /containers/${someId}/restart`
const create = slotOf('create-container', { image: 'busybox' })
const created = { status: 201, body: { Id: someId, Warnings: null } }
const asked = () => double.asked.map(({ what }) => what)

describe('a payload', () => {
  test.each(['x/../../info', 'json?all=1#', 'web', someId.slice(0, 12), someId.toUpperCase(), `${someId}0`, ''])(
    'with the id %p is refused, and nothing reaches the daemon',
    async (id) => {
      const { context } = contextDouble()
      await expect(runAction(slotOf('stop-container', { id }), never, context)).rejects.toMatchObject({
        code: 'invalid_request',
      })
      expect(double.asked).toEqual([])
    },
  )

  test.each([
    [slotOf('no-such-action', {}), 'unknown_action'],
    [slotOf('__proto__', {}), 'unknown_action'],
    [slotOf('start-container', {}), 'invalid_request'],
    [slotOf('start-container', { id: someId, more: 1 }), 'invalid_request'],
    [slotOf('delete-container', { id: someId, force: 'true' }), 'invalid_request'],
  ])('%j is refused with %s', async (payload, code) => {
    expect(() => readAction(payload)).toThrow(expect.objectContaining({ code }) as Error)
  })
})

describe('an action', () => {
  test('answers in an envelope with this dock’s name, and the index is told soon', async () => {
    double.answer(startRoute, { status: 204 })
    const { context, touched } = contextDouble()
    await expect(runAction(start, never, context)).resolves.toEqual({
      envelope: { Date: expect.any(String), Response: '', dockerInstance: 'here', statusCode: 204 },
    })
    expect(touched).toEqual([someId])
  })

  test('by which a container is looked up ends when the index knows', async () => {
    double.answer(`POST /containers/${someId}/rename`, { status: 204 })
    const { context, refreshed } = contextDouble()
    await runAction(slotOf('rename-container', { id: someId, name: 'new-name' }), never, context)
    expect(refreshed).toEqual([someId])
  })

  test('that only reads leaves the index alone', async () => {
    double.answer(`GET /containers/${someId}/json`, { status: 200, body: { Id: someId } })
    const { context, refreshed } = contextDouble()
    await runAction(slotOf('inspect-container', { id: someId }), never, context)
    expect(refreshed).toEqual([])
  })

  test('of the fleet alone runs while the daemon is away', async () => {
    const { context, daemon, registered } = contextDouble()
    daemon.set(false)
    await runAction(slotOf('register', { hostname: 'there' }), never, context)
    expect(registered.asked).toEqual(['register there'])
    expect(asked()).toEqual([])
  })

  test('waits for a daemon that is away, and runs when it is back', async () => {
    double.answer(startRoute, { status: 204 })
    const { context, daemon } = contextDouble()
    daemon.set(false)
    const running = runAction(start, never, context)
    expect(asked()).toEqual([])
    daemon.set(true)
    await expect(running).resolves.toMatchObject({ envelope: { statusCode: 204 } })
  })

  test('that was stopped while it waits for the daemon says so, and does not run', async () => {
    const { context, daemon } = contextDouble()
    daemon.set(false)
    const stop = new AbortController()
    const running = runAction(start, stop.signal, context)
    stop.abort(new Error('the worker stops'))
    await expect(running).rejects.toThrow('the worker stops')
    expect(asked()).toEqual([])
  })

  test('that the daemon refuses fails with the daemon’s words, once', async () => {
    double.answer(startRoute, { status: 404, body: { message: 'No such container' } })
    await expect(runAction(start, never, contextDouble().context)).rejects.toMatchObject({ statusCode: 404 })
    expect(asked()).toEqual([startRoute])
  })

  test('whose lease has ended is neither tried again nor told as failed by the daemon', async () => {
    const { context } = contextDouble()
    const lost = new DebloxError('lease_lost', 'run out')
    const { modem } = context.docker
    const dial = jest.spyOn(modem, 'dial').mockImplementation((_options, callback) => callback?.(lost, null))
    await expect(runAction(start, never, context)).rejects.toBe(lost)
    expect(dial).toHaveBeenCalledTimes(1)
    dial.mockRestore()
  })
})

describe('an outcome that is not known', () => {
  test('is settled by running an idempotent action again', async () => {
    double.answer(startRoute, (response) => response.destroy(), { status: 304 })
    await expect(runAction(start, never, contextDouble().context)).resolves.toMatchObject({
      envelope: { statusCode: 304 },
    })
    expect(asked()).toEqual([startRoute, startRoute])
  })

  test('is told in the end where the daemon never says', async () => {
    double.answer(startRoute, (response) => response.destroy())
    const failure = runAction(start, never, contextDouble().context)
    await expect(failure).rejects.toMatchObject({ code: 'outcome_unknown', cause: { code: 'ECONNRESET' } })
    expect(asked()).toHaveLength(6)
  })

  test('is told at once where running again would do it twice', async () => {
    double.answer(restartRoute, (response) => response.destroy())
    await expect(runAction(restart, never, contextDouble().context)).rejects.toMatchObject({ code: 'outcome_unknown' })
    expect(asked()).toEqual([restartRoute])
  })

  test('of an action that had begun in another worker is told without asking the daemon', async () => {
    double.answer(restartRoute, { status: 204 })
    const { context } = contextDouble()
    await runAction(restart, never, context)
    await expect(runAction(restart, never, context)).rejects.toMatchObject({ code: 'outcome_unknown' })
    expect(asked()).toEqual([restartRoute])
  })

  test('is not what a job has that was given back while it waited for the daemon', async () => {
    double.answer(restartRoute, { status: 204 })
    const { context, daemon } = contextDouble()
    daemon.set(false)
    const stop = new AbortController()
    const given = runAction(restart, stop.signal, context)
    stop.abort(new Error('the worker stops'))
    await expect(given).rejects.toThrow('the worker stops')
    daemon.set(true)
    await expect(runAction(restart, never, context)).resolves.toMatchObject({ envelope: { statusCode: 204 } })
  })

  test('is not what a daemon that was never reached leaves: a change is sent once it is back', async () => {
    const { context, daemon } = contextDouble()
    double.answer(restartRoute, { status: 204 })
    const gone = jest.spyOn(context.docker.modem, 'dial').mockImplementationOnce((_options, callback) => {
      callback?.(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), null)
    })
    const shut = new Promise<void>((resolve) => daemon.onChange((open) => open || resolve()))
    const running = runAction(restart, never, context)
    await shut
    daemon.set(true)
    await expect(running).resolves.toMatchObject({ envelope: { statusCode: 204 } })
    expect(asked()).toEqual([restartRoute])
    gone.mockRestore()
  })
})

describe('a slot', () => {
  beforeEach(() => double.answer('POST /containers/create', created))

  test('that nobody has claimed is claimed, then made here, and labelled with its epoch', async () => {
    const { context, claim, refreshed } = contextDouble()
    await expect(runAction(create, never, context)).resolves.toMatchObject({
      envelope: { statusCode: 201 },
      container: { id: someId, name: 'deblox-job-7-1' },
    })
    expect(claim()).toEqual({ hostname: 'here', epoch: 1 })
    expect(double.asked[0]?.body).toMatchObject({ Labels: { 'deblox.job': 'job-7', 'deblox.epoch': '1' } })
    expect(refreshed).toEqual([someId])
  })

  test('that this dock had claimed before is made here again under the same epoch', async () => {
    const { context } = contextDouble({ claimed: { hostname: 'here', epoch: 3 } })
    await runAction(create, never, context)
    expect(double.asked[0]?.body).toMatchObject({ Labels: { 'deblox.epoch': '3' } })
  })

  test('that a living dock has claimed is handed on to it, and nothing is made here', async () => {
    const { context } = contextDouble({ claimed: { hostname: 'there', epoch: 1 }, leased: ['there'] })
    await expect(runAction(create, never, context)).resolves.toEqual({ handOn: 'deblox.docker.there' })
    expect(asked()).toEqual([])
  })

  test('whose claimant is dead is claimed anew under the next epoch', async () => {
    const { context, claim } = contextDouble({ claimed: { hostname: 'there', epoch: 1 } })
    await runAction(create, never, context)
    expect(claim()).toEqual({ hostname: 'here', epoch: 2 })
    expect(double.asked[0]?.body).toMatchObject({ Labels: { 'deblox.epoch': '2' } })
  })

  test('that another dock claims anew at the same moment goes to that one', async () => {
    const { context } = contextDouble({ claimed: { hostname: 'dead', epoch: 1 }, leased: ['quicker'] })
    const { placements } = context.fleet
    placements.reclaim = async () => ({ hostname: 'quicker', epoch: 2 })
    await expect(runAction(create, never, context)).resolves.toEqual({ handOn: 'deblox.docker.quicker' })
    expect(asked()).toEqual([])
  })
})
