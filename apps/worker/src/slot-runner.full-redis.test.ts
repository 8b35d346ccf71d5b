import { DebloxError } from '@deblox/actions/errors'
import { payloadOf } from '@deblox/fleet/job'
import { times } from '@deblox/fleet/names'
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

const fill = () => use.redis().config('SET', 'maxmemory', 1)
const makeRoom = () => use.redis().config('SET', 'maxmemory', 0)

afterEach(makeRoom)

/** What the daemon was asked to change. */
const changes = () => double.asked.map(({ what }) => what).filter((what) => !what.startsWith('GET'))

/** What a slot asks of Redis on its way. */
type Step = 'begin' | 'claim' | 'markBegun' | 'register'

const cases: Record<Step, { action: string; params: Record<string, unknown> }> = {
  begin: { action: 'start-container', params: { id: someId } },
  claim: { action: 'create-container', params: { image: 'busybox' } },
  markBegun: { action: 'restart-container', params: { id: someId } },
  register: { action: 'register', params: { hostname: 'new' } },
}
const steps = Object.keys(cases) as Step[]

/** Runs a slot whose Redis is full from that step on. */
async function meeting(step: Step) {
  double.answer('POST /containers/create', { status: 201, body: { Id: someId, Warnings: [] } })
  for (const what of ['start', 'restart']) double.answer(`POST /containers/${someId}/${what}`, { status: 204 })
  const { docks, jobs, keys, placements } = use.fleet()
  const record = recordOn(keys.replies('replica'), { ...cases[step], acceptedAt: Date.now() })
  double.answer(`GET /containers/deblox-${record.id}-1/json`, { status: 404, body: { message: 'No such container' } })
  await jobs.accept({ record })
  const parts = { begin: jobs, claim: placements, markBegun: jobs, register: docks } as Record<Step, object>
  const part = parts[step] as Record<Step, (...args: unknown[]) => Promise<unknown>>
  const asked = part[step].bind(part)
  const spy = jest.spyOn(part, step).mockImplementation(async (...args) => {
    if (spy.mock.calls.length === 1) await fill()
    return asked(...args)
  })
  const { context } = contextOnRedis(use.fleet(), double.docker)
  const runner = new SlotRunner(context, pino({ level: 'silent' }))
  const [stop, cancel, lease] = [new AbortController(), new AbortController(), new AbortController()]
  context.leaseLost = () => (lease.signal.aborted ? new AbortController() : lease).signal
  const how = { takes: 1, stop: stop.signal, cancel: cancel.signal, meantSince: 0 }
  const payload = payloadOf(record, 1)
  const ended = runner.run(payload, how)
  ended.catch(() => undefined)
  const refused = () => eventually(() => expect(spy.mock.calls.length).toBeGreaterThan(2))
  /** Once it has ended, full as Redis is. */
  const outcome = async () => {
    await ended.catch(() => undefined)
    await makeRoom()
    await runner.allRecorded()
    return jobs.outcome(payload)
  }
  return { refused, ended, stop, cancel, lease, context, runner, payload, outcome }
}

describe.each(steps)('a slot that meets a full Redis at its step %s', (step) => {
  test('waits, and goes on when there is room', async () => {
    const { refused, ended, outcome } = await meeting(step)
    await refused()
    await makeRoom()
    await expect(ended).resolves.toMatchObject({ envelope: {} })
    await expect(outcome()).resolves.toMatchObject({ state: 'completed', attempts: 1 })
  })

  test('waits no longer when it is cancelled', async () => {
    const { refused, cancel, outcome } = await meeting(step)
    await refused()
    cancel.abort(cancelled())
    await expect(outcome()).resolves.toMatchObject({ state: 'cancelled', error: { code: 'job_cancelled' } })
    expect(changes()).toEqual([])
  })

  test('waits no longer when its worker stops, and has not ended', async () => {
    const { refused, ended, stop, runner, payload, outcome } = await meeting(step)
    await refused()
    stop.abort(new Error('the worker stops'))
    await expect(ended).rejects.toThrow('the worker stops')
    await expect(outcome()).resolves.toBeNull()
    await runner.uncount(payload)
    await expect(use.fleet().jobs.starts(payload)).resolves.toBe(0)
  })

  test('waits no longer than its deadline', async () => {
    const { refused, context, payload, outcome } = await meeting(step)
    await refused()
    const late = payload.acceptedAt + times.deadline.change + 1
    context.now = () => late
    await expect(outcome()).resolves.toMatchObject({ state: 'expired', error: { code: 'job_expired' } })
    expect(changes()).toEqual([])
  })
})

test('a claim that is refused waits no longer under a lease that is lost, and is made under the next one', async () => {
  const { refused, context, lease, ended, outcome } = await meeting('claim')
  const workAgain = jest.fn(async () => void (await makeRoom()))
  context.workAgain = workAgain
  await refused()
  expect(workAgain).not.toHaveBeenCalled()
  lease.abort(new DebloxError('lease_lost', 'expected the lease to be held'))
  await expect(ended).resolves.toMatchObject({ container: { id: someId } })
  await expect(outcome()).resolves.toMatchObject({ state: 'completed' })
})
