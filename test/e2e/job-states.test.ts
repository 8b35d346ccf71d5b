import { join } from 'node:path'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { repository } from '../support/repository'
import { create, inspect, type Made } from './containers'
import { accepted, ended, type Job, jobOf } from './jobs'

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet({ docks: 2 })
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

const post = (path: string, body?: object, headers = { Prefer: 'wait=15' }) =>
  fleet.request(fleet.api, 'POST', path, body, headers)

/** What cancel and retry answer with, once the job has ended. */
async function jobAfter(path: string, status = 200): Promise<Job> {
  const reply = await post(path)
  expect(reply).toMatchObject({ status })
  return (reply.body as { job: Job }).job
}

const onTopic = (dock: string) => fleet.redis.llen(`${fleet.prefix}:deblox.docker.${dock}:wait`)
const named = async (start: string) => (await fleet.census()).filter(({ name }) => name.startsWith(start))
const active = (id: string) => eventually(async () => (await jobOf(fleet, id)).state === 'active')

describe('a job that waits for a dock that is away', () => {
  let container: Made

  beforeAll(async () => {
    container = await create(fleet, { hostname: 'dock2', name: 'waiting' })
    await fleet.dock('dock2').worker.kill()
  }, 30_000)

  test('is cancelled at once, and never runs', async () => {
    const id = await accepted(fleet, 'POST', `/v1/containers/${container.id}/start`)
    expect(await onTopic('dock2')).toBe(1)
    expect(await jobAfter(`/v1/jobs/${id}/cancel`)).toMatchObject({
      state: 'cancelled',
      startedAt: null,
      error: { code: 'job_cancelled', status: 409 },
      slots: [{ state: 'cancelled', dock: 'dock2' }],
    })
    expect(await onTopic('dock2')).toBe(0)
  })

  test('cancelled twice is as it was; one that ended in another way cannot be cancelled', async () => {
    const id = await accepted(fleet, 'POST', `/v1/containers/${container.id}/start`)
    for (const _ of [1, 2]) expect(await jobAfter(`/v1/jobs/${id}/cancel`)).toMatchObject({ state: 'cancelled' })
    const { body } = await post('/v1/containers', { image: 'busybox', hostname: 'dock1' })
    const done = (body as { job: Job }).job.id
    expect(await post(`/v1/jobs/${done}/cancel`)).toMatchObject({ status: 409, body: { code: 'job_finished' } })
    expect(await post(`/v1/jobs/${done}/retry`)).toMatchObject({ status: 409, body: { code: 'job_not_failed' } })
  })

  test('expires when its caller said so, and never runs', async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString()
    const id = await accepted(fleet, 'POST', `/v1/containers/${container.id}/start`, { expiresAt })
    expect(await jobOf(fleet, id)).toMatchObject({ state: 'waiting', expiresAt })
    expect(await ended(fleet, id)).toMatchObject({ state: 'expired', error: { code: 'job_expired', status: 504 } })
    expect(await onTopic('dock2')).toBe(0)
  })

  test('that was cancelled is tried again as another job, and runs when the dock is back', async () => {
    const id = await accepted(fleet, 'POST', `/v1/containers/${container.id}/start`)
    await post(`/v1/jobs/${id}/cancel`)
    const again = await fleet.request(fleet.api, 'POST', `/v1/jobs/${id}/retry`, undefined, { Prefer: 'respond-async' })
    const { job } = again.body as { job: Job }
    expect(again).toMatchObject({ status: 202 })
    expect(job).toMatchObject({ state: 'waiting', retryOf: id })
    fleet.dock('dock2').launch()
    expect(await ended(fleet, job.id)).toMatchObject({ state: 'completed' })
    expect((await inspect(fleet, container)).State.Running).toBe(true)
    expect(await jobOf(fleet, id)).toMatchObject({ state: 'cancelled' })
    await fleet.docksReady()
  }, 40_000)
})

describe('a job that is worked on', () => {
  test('is cancelled soon: a stop no longer waited for', async () => {
    // The shell does not pass SIGTERM on: Docker waits until the time-out before it kills.
    const cmd = ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done']
    const made = await create(fleet, { hostname: 'dock1', cmd, start: true })
    const id = await accepted(fleet, 'POST', `/v1/containers/${made.id}/stop`, { timeout: 300 })
    await active(id)
    expect(await jobAfter(`/v1/jobs/${id}/cancel`)).toMatchObject({ state: 'cancelled', slots: [{ dock: 'dock1' }] })
    await fleet.request(fleet.api, 'DELETE', `/v1/containers/${made.id}?force=true`)
  }, 20_000)

  test('lets those behind it wait, and these can be cancelled and expire meanwhile', async () => {
    const cmd = ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done']
    const made = await create(fleet, { hostname: 'dock1', cmd, start: true })
    const path = `/v1/containers/${made.id}`
    const stopping = await accepted(fleet, 'POST', `${path}/stop`, { timeout: 300 })
    await active(stopping)
    const [deleting, restarting] = [
      await accepted(fleet, 'DELETE', `${path}?force=true`),
      await accepted(fleet, 'POST', `${path}/restart`, { expiresAt: new Date(Date.now() + 1_500).toISOString() }),
    ]
    await eventually(async () => expect(await fleet.redis.llen(`${fleet.prefix}:deblox.docker.dock1:active`)).toBe(3))
    expect(await jobOf(fleet, deleting)).toMatchObject({ state: 'waiting', startedAt: null })
    const cancelled = await jobAfter(`/v1/jobs/${deleting}/cancel`)
    expect(cancelled).toMatchObject({ state: 'cancelled', startedAt: null, error: { code: 'job_cancelled' } })
    expect(await ended(fleet, restarting)).toMatchObject({ state: 'expired', startedAt: null })
    expect(await jobOf(fleet, stopping)).toMatchObject({ state: 'active' })
    await post(`/v1/jobs/${stopping}/cancel`)
    expect((await fleet.request(fleet.api, 'DELETE', `${path}?force=true`)).status).toBe(200)
  }, 30_000)

  test('is cancelled soon: a create whose pull hangs leaves nothing behind', async () => {
    // Accepts connections where the engine looks for images first, and never says a word.
    const script = 'require("net").createServer(() => {}).listen(5000, "127.0.0.1", () => console.log("hangs"))'
    const silent = fleet.dock('dock1').engine.startInside(process.execPath, ['-e', script])
    try {
      await silent.waitForLine(/hangs/)
      const create = { image: 'nowhere-to-be-had', name: 'pulled', hostname: 'dock1' }
      const id = await accepted(fleet, 'POST', '/v1/containers', create)
      await active(id)
      expect(await jobAfter(`/v1/jobs/${id}/cancel`)).toMatchObject({ state: 'cancelled' })
    } finally {
      await silent.kill()
    }
    expect(await named('pulled')).toEqual([])
  }, 30_000)

  test('fails after three starts if workers die over it, and holds nobody up', async () => {
    const dock = fleet.dock('dock1')
    const [poison, other] = await Promise.all(
      ['poison', 'other'].map((name) => create(fleet, { hostname: 'dock1', name })),
    )
    await dock.worker.stop()
    const id = await accepted(fleet, 'POST', `/v1/containers/${poison?.id}/start`)
    const second = await accepted(fleet, 'POST', `/v1/containers/${other?.id}/start`)
    dock.env['NODE_OPTIONS'] = `--require ${join(repository, 'test/support/die-over.cjs')}`
    dock.env['DIE_OVER'] = id
    const deaths = []
    while ((await jobOf(fleet, id)).finishedAt === null) {
      // Else each worker would wait for the end of the dead one's lease.
      await fleet.redis.del(`${fleet.prefix}:lease:dock1`)
      const worker = dock.launch()
      const hasEnded = async () => (await jobOf(fleet, id)).finishedAt !== null
      await eventually(async () => !worker.running || (await hasEnded()), undefined, { within: 20_000 })
      if (!worker.running) deaths.push(worker.exit?.signal)
    }
    expect(deaths).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL'])
    expect(await jobOf(fleet, id)).toMatchObject({
      state: 'failed',
      attempts: 3,
      error: { code: 'worker_died', status: 500 },
    })
    expect(await ended(fleet, second)).toMatchObject({ state: 'completed' })
    delete dock.env['NODE_OPTIONS']
    await fleet.docksReady()
  }, 90_000)
})

describe('several instances of which one cannot be made', () => {
  /** Takes the name that the third slot would have, wherever that is dealt to. */
  const obstacles = () =>
    Promise.all(['dock1', 'dock2'].map((hostname) => create(fleet, { hostname, name: 'web-3', cmd: ['true'] })))

  const without = async (made: Made[]) => {
    for (const { id } of made) await fleet.request(fleet.api, 'DELETE', `/v1/containers/${id}?force=true`)
  }

  const nothingLeft = async (id: string) => {
    const ofJob = async () => (await fleet.census()).filter(({ labels }) => labels['deblox.job'] === id)
    await eventually(async () => (await ofJob()).length === 0, undefined, { what: 'its containers are gone' })
  }

  test('leave the others, and a retry makes only what is missing', async () => {
    const inTheWay = await obstacles()
    const reply = await post('/v1/containers', { image: 'busybox', name: 'web', instances: 4 })
    expect(reply).toMatchObject({ status: 409, body: { code: 'docker_error' } })
    const { job: id } = reply.body as { job: string }
    const first = await jobOf(fleet, id)
    expect(first.slots.map(({ state }) => state)).toEqual(['completed', 'completed', 'failed', 'completed'])

    await without(inTheWay)
    const again = await jobAfter(`/v1/jobs/${id}/retry`)
    expect(again).toMatchObject({ state: 'completed', retryOf: id })
    expect((await named('web-')).map(({ name }) => name).sort()).toEqual(['web-1', 'web-2', 'web-3', 'web-4'])
    const kept = (job: Job) => job.slots.filter(({ slot }) => slot !== 3).map(({ container }) => container?.id)
    expect(kept(again)).toEqual(kept(first))
    await without((await named('web-')).map(({ id, name, dock }) => ({ id, name, dock, slot: 0 })))
  }, 30_000)

  test('are undone where that was asked for', async () => {
    const inTheWay = await obstacles()
    const body = { image: 'busybox', name: 'web', instances: 4, start: true, onFailure: 'rollback' }
    const reply = await post('/v1/containers', body)
    expect(reply).toMatchObject({ status: 409 })
    const { job: id } = reply.body as { job: string }
    await nothingLeft(id)
    const job = await jobOf(fleet, id)
    expect(job.state).toBe('failed')
    const others = job.slots.filter(({ slot }) => slot !== 3)
    expect(others.filter(({ state }) => !['completed', 'cancelled'].includes(state))).toEqual([])
    const undone = others.filter(({ state }) => state === 'completed').map(({ undoneBy }) => undoneBy ?? '')
    const states = await Promise.all(undone.map(async (one) => (await ended(fleet, one)).state))
    expect(new Set([...states, 'completed'])).toEqual(new Set(['completed']))
    await without(inTheWay)
  }, 30_000)

  test('are undone also where they were made and cannot be started, and a retry makes them anew', async () => {
    const body = { image: 'busybox', cmd: ['no-such-program'], hostname: 'dock1', instances: 2, onFailure: 'rollback' }
    const reply = await post('/v1/containers', { ...body, start: true })
    expect(reply.status).toBeGreaterThanOrEqual(400)
    const { job: id } = reply.body as { job: string }
    await nothingLeft(id)
    const undone = (await jobOf(fleet, id)).slots.map(({ state, undoneBy }) => [state, undoneBy])
    expect(undone).toEqual([1, 2].map(() => ['failed', expect.any(String)]))
    for (const [, by] of undone) expect(await ended(fleet, by ?? '')).toMatchObject({ state: 'completed' })
    const again = await jobAfter(`/v1/jobs/${id}/retry`)
    expect(again).toMatchObject({ state: 'failed', retryOf: id })
    await nothingLeft(id)
  }, 30_000)
})

test('a job of a newer version is left for a newer worker, and nothing else waits for it', async () => {
  const made = await create(fleet, { hostname: 'dock1' })
  const { worker } = fleet.dock('dock1')
  await worker.pause()
  const id = await accepted(fleet, 'POST', `/v1/containers/${made.id}/start`)
  const key = `${fleet.prefix}:deblox.docker.dock1:${id}.1`
  const payload = JSON.parse((await fleet.redis.hget(key, 'data')) ?? '') as { v: number }
  await fleet.redis.hset(key, 'data', JSON.stringify({ ...payload, v: payload.v + 1, isNew: true }))
  worker.resume()
  const parked = () => fleet.redis.zcard(`${fleet.prefix}:deblox.docker.dock1:delayed`)
  await eventually(async () => (await parked()) === 1)
  expect(await post(`/v1/containers/${made.id}/stop`, { timeout: 0 })).toMatchObject({ status: 200 })
  const untried = { attempts: 0, startedAt: null }
  // It was offered, and that is no attempt.
  expect(await jobOf(fleet, id)).toMatchObject({ state: 'waiting', ...untried, error: null })
  expect(await jobAfter(`/v1/jobs/${id}/cancel`)).toMatchObject({ state: 'cancelled', ...untried })
}, 20_000)
