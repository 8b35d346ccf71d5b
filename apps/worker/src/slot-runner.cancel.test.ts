import { type JobRecord, payloadOf } from '@deblox/fleet/job'
import { pino } from 'pino'
import { someId } from '../../../libs/actions/src/testing/context'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { recordOn } from '../../../libs/fleet/src/testing/record'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { cancelled } from './cancels'
import { SlotRunner } from './slot-runner'
import { contextOnRedis } from './testing/context-on-redis'

const use = useFleet()
const double = useDockerDouble()
const restartRoute = `POST /containers/${someId}/restart`
const asked = () => double.asked.map(({ what }) => what)

async function accepted(action: string, params: object): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), { action, params: { ...params } })
  await use.fleet().jobs.accept({ record })
  return record
}

/** Runs the only slot of a job that can be cancelled and stopped. */
function running(record: JobRecord, takes = 1) {
  const { context, daemon } = contextOnRedis(use.fleet(), double.docker)
  const runner = new SlotRunner(context, pino({ level: 'silent' }))
  const [cancel, stop] = [new AbortController(), new AbortController()]
  const how = { takes, stop: stop.signal, cancel: cancel.signal, meantSince: 0 }
  const run = runner.run(payloadOf(record, 1), how)
  run.catch(() => undefined)
  const outcome = async () => {
    await run.catch(() => undefined)
    await runner.allRecorded()
    return use.fleet().jobs.outcome(payloadOf(record, 1))
  }
  return { run, cancel: () => cancel.abort(cancelled()), stop, outcome, daemon }
}

const isCancelled = { state: 'cancelled', result: null, error: { code: 'job_cancelled', status: 409 } }

test('a slot that was cancelled before it is begun ends so, and nothing is done', async () => {
  const record = await accepted('restart-container', { id: someId })
  await use.redis().hset(use.fleet().keys.job(record.id), 'cancel', 'because')
  await expect(running(record).outcome()).resolves.toMatchObject(isCancelled)
  expect(asked()).toEqual([])
})

test('a slot that is cancelled while the daemon works on it is waited for no longer', async () => {
  double.answer(restartRoute, () => {})
  const { cancel, outcome } = running(await accepted('restart-container', { id: someId }))
  await eventually(() => double.asked.length === 1)
  cancel()
  await expect(outcome()).resolves.toMatchObject({ ...isCancelled, dock: 'here' })
  expect(asked()).toEqual([restartRoute])
})

test('a slot that is cancelled while it waits for the daemon does not reach it', async () => {
  const { cancel, outcome, daemon } = running(await accepted('restart-container', { id: someId }))
  daemon.set(false)
  cancel()
  await expect(outcome()).resolves.toMatchObject(isCancelled)
  daemon.set(true)
  expect(asked()).toEqual([])
})

test('a slot that has ended before its cancel is heard of is as it was', async () => {
  double.answer(restartRoute, { status: 204 })
  const { run, cancel, outcome } = running(await accepted('restart-container', { id: someId }))
  await run
  cancel()
  await expect(outcome()).resolves.toMatchObject({ state: 'completed' })
})

test('a worker that stops while it ends a cancelled slot leaves that to the next one', async () => {
  double.answer(restartRoute, () => {})
  const record = await accepted('restart-container', { id: someId })
  const { run, cancel, stop, outcome } = running(record)
  await eventually(() => double.asked.length === 1)
  stop.abort(new Error('the worker stops'))
  cancel()
  await expect(run).rejects.toThrow('the worker stops')
  await expect(outcome()).resolves.toBeNull()
})

describe('a create that is cancelled', () => {
  const createRoute = 'POST /containers/create'
  const removeRoute = `DELETE /containers/${someId}`
  const nameOf = ({ id }: JobRecord) => `deblox-${id}-1`
  const inspectRoute = (record: JobRecord) => `GET /containers/${nameOf(record)}/json`
  const madeBy = ({ id }: JobRecord, job = id) => ({
    status: 200,
    body: {
      Id: someId,
      Config: { Labels: { 'deblox.job': job, 'deblox.slot': '1' } },
      State: { Status: 'created' },
    },
  })

  /** One whose create the daemon does not answer. */
  async function creating() {
    double.answer(createRoute, () => {})
    const record = await accepted('create-container', { image: 'busybox' })
    const all = running(record)
    await eventually(() => double.asked.length === 1)
    return { record, ...all }
  }

  test('has removed what it had made by then', async () => {
    const { record, cancel, outcome } = await creating()
    double.answer(inspectRoute(record), madeBy(record))
    double.answer(removeRoute, { status: 204 })
    cancel()
    await expect(outcome()).resolves.toMatchObject(isCancelled)
    expect(asked()).toContain(removeRoute)
  })

  test('leaves alone what another job has made under that name', async () => {
    const { record, cancel, outcome } = await creating()
    double.answer(inspectRoute(record), madeBy(record, 'another'))
    cancel()
    await expect(outcome()).resolves.toMatchObject(isCancelled)
    expect(asked()).not.toContain(removeRoute)
  })

  test('belongs to nobody afterwards: what Docker makes of it later is found superseded', async () => {
    const { record, cancel, outcome } = await creating()
    double.answer(inspectRoute(record), { status: 404, body: { message: 'No such container' } })
    cancel()
    await outcome()
    await expect(use.fleet().placements.read([{ job: record.id, slot: 1 }])).resolves.toEqual([
      { hostname: '', epoch: 1 },
    ])
  })

  test('of which the daemon will not remove what was made has failed with its words', async () => {
    const { record, cancel, outcome } = await creating()
    double.answer(inspectRoute(record), madeBy(record))
    double.answer(removeRoute, { status: 409, body: { message: 'removal is in progress' } })
    cancel()
    await expect(outcome()).resolves.toMatchObject({
      state: 'failed',
      error: { code: 'docker_error', status: 409, message: 'removal is in progress' },
    })
  })

  test('of which the daemon does not tell whether anything was made says that it is not known', async () => {
    const { record, cancel, outcome } = await creating()
    double.answer(inspectRoute(record), (response) => response.destroy())
    cancel()
    await expect(outcome()).resolves.toMatchObject({ state: 'failed', error: { code: 'outcome_unknown' } })
  })

  test('and was given to another dock meanwhile ends so as well', async () => {
    const { record, cancel, outcome } = await creating()
    double.answer(inspectRoute(record), { status: 404, body: { message: 'No such container' } })
    await use.fleet().placements.reclaim(record.id, 1, 'there', { hostname: 'here', epoch: 1 })
    cancel()
    await expect(outcome()).resolves.toMatchObject(isCancelled)
  })
})
