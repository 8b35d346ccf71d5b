import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { startProgram } from '../support/processes'
import { create, inspect, type Made } from './containers'
import { accepted, ended, jobOf, type Job } from './jobs'

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet({ apis: 2 })
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

afterEach(async () => {
  await Promise.all(fleet.docks.map(({ engine }) => engine.reset()))
})

test('a second worker with the same hostname is refused in one line, and the first goes on', async () => {
  const { env, engine, worker } = fleet.dock('dock1')
  const settings = { ...env, DOCK_HOSTNAME: 'dock1', DOCKER_HOST: engine.dockerHost }
  const second = startProgram('worker', settings, 'second worker of dock1')

  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.lines.filter((line) => !line.startsWith('{'))).toEqual([
    'deblox worker: DOCK_HOSTNAME: expected a name that no other worker uses, got dock1, for which another worker lives',
  ])
  expect(worker.running).toBe(true)
  expect((await create(fleet, { hostname: 'dock1' })).dock).toBe('dock1')
}, 30_000)

test('a worker that is started after another has left acts at once', async () => {
  const dock = fleet.dock('dock1')
  await dock.worker.stop()
  const { body } = await fleet.request(fleet.api, 'GET', '/v1/docks/dock1')
  expect(body).toMatchObject({ state: 'unreachable' })

  const began = performance.now()
  dock.launch()
  await fleet.docksReady()
  // Not the ten seconds that a lease lasts.
  expect(performance.now() - began).toBeLessThan(8_000)
}, 30_000)

test('on SIGTERM under load a worker ends within 10 s, no job is lost, and each is done once, in order', async () => {
  const container = await create(fleet, { hostname: 'dock1', name: 'name-0' })
  const load = await loadOn(container)

  const began = performance.now()
  const exit = await fleet.dock('dock1').worker.stop()
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(exit).toEqual({ code: 0, signal: null })
  fleet.dock('dock1').launch()

  await expectAllDone(load, container)
}, 60_000)

test('a job that takes longer than a stopping worker may is finished by the next one, and what waited for it keeps its order', async () => {
  // Its shell ignores SIGTERM, so that a stop takes all of its twelve seconds.
  const stubborn = { cmd: ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"], start: true, hostname: 'dock1' }
  const container = await create(fleet, stubborn)
  const job = await accepted(fleet, 'POST', `/v1/containers/${container.id}/stop`, { timeout: 12 })
  await eventually(async () => (await jobOf(fleet, job)).state === 'active')
  const renames: string[] = []
  for (const name of ['later-1', 'later-2', 'later-3', 'later-4', 'later-5']) {
    renames.push(await accepted(fleet, 'POST', `/v1/containers/${container.id}/rename`, { name }))
  }

  const exit = await fleet.dock('dock1').worker.stop()
  expect(exit).toEqual({ code: 0, signal: null })
  expect(await jobOf(fleet, job)).toMatchObject({ finishedAt: null })
  fleet.dock('dock1').launch()

  expect(await ended(fleet, job, { within: 30_000 })).toMatchObject({ state: 'completed' })
  const later = await Promise.all(renames.map((id) => ended(fleet, id)))
  expect(later.map(({ state, error }) => error ?? state)).toEqual(renames.map(() => 'completed'))
  const starts = later.map(({ startedAt }) => startedAt ?? '')
  expect(starts).toEqual([...starts].sort())
  expect(await inspect(fleet, container)).toMatchObject({ Name: '/later-5', State: { Running: false } })
}, 60_000)

test('after kill -9 under load the next worker goes on: no job is lost, no container made twice', async () => {
  const container = await create(fleet, { hostname: 'dock1', name: 'name-0' })
  const load = await loadOn(container)

  await fleet.dock('dock1').worker.kill()
  fleet.dock('dock1').launch()

  const creates = await Promise.all(load.creates.map((id) => ended(fleet, id, { within: 40_000 })))
  expect(creates.map(({ state, error }) => error ?? state)).toEqual(creates.map(() => 'completed'))
  await expectEachOnce(creates)
  // One rename may have been under way: whether it took effect is not known then, and it is not tried again.
  const renames = await Promise.all(load.renames.map((id) => ended(fleet, id, { within: 40_000 })))
  const unknown = renames.filter(({ state }) => state === 'failed')
  expect(unknown.map(({ error }) => error?.code)).toEqual(unknown.map(() => 'outcome_unknown'))
  expect(unknown.length).toBeLessThan(2)
  const finished = renames.filter(({ state }) => state === 'completed').map(({ finishedAt }) => finishedAt ?? '')
  expect(finished).toEqual([...finished].sort())
  expect((await inspect(fleet, container)).Name).toBe('/name-40')
}, 60_000)

test('a worker that dies with work of the whole cluster leaves it to the others, each container once', async () => {
  const names = Array.from({ length: 60 }, (_, n) => `cluster-${n}`)
  const ids = await Promise.all(
    names.map((name) => accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', name })),
  )
  await fleet.dock('dock2').worker.kill()

  // What it held is given to others when its lease has ended.
  const jobs = await Promise.all(ids.map((id) => ended(fleet, id, { within: 40_000 })))
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(jobs.map(() => 'completed'))
  fleet.dock('dock2').launch()
  await eventually(() => expectEachOnce(jobs), undefined, { within: 30_000 })
}, 90_000)

test('a job whose API was killed while it waited ends all the same, and can be seen on the other one', async () => {
  const [first, second] = [fleet.apiNumber(1), fleet.apiNumber(2)]
  const container = await create(fleet, { start: true })
  const asked = fleet
    .request(first, 'POST', `/v1/containers/${container.id}/restart`, { timeout: 2 })
    .catch(() => 'cut')
  const newest = async () => (await fleet.request(second, 'GET', '/v1/jobs?limit=1')).body.items[0] as Job
  const job = await eventually(newest, ({ action }) => action === 'restart-container')

  await first.process.kill()

  expect(await asked).toBe('cut')
  expect(await ended(fleet, job.id, { api: second })).toMatchObject({ state: 'completed' })
  first.launch()
  await first.ready()
}, 40_000)

const renames = 40

interface Load {
  creates: string[]
  renames: string[]
}

/** Creates on the container's dock and renames of the container, all accepted and few of them done. */
async function loadOn({ id, dock }: Made): Promise<Load> {
  const creates = await createsOn(dock, 40)
  const asked: string[] = []
  for (let n = 1; n <= renames; n++) {
    asked.push(await accepted(fleet, 'POST', `/v1/containers/${id}/rename`, { name: `name-${n}` }))
  }
  return { creates: [...creates, ...(await createsOn(dock, 20, 'more'))], renames: asked }
}

function createsOn(hostname: string, count: number, name = 'load'): Promise<string[]> {
  const bodies = Array.from({ length: count }, (_, n) => ({ image: 'busybox', hostname, name: `${name}-${n}` }))
  return Promise.all(bodies.map((body) => accepted(fleet, 'POST', '/v1/containers', body)))
}

async function expectAllDone(load: Load, container: Made): Promise<void> {
  const creates = await Promise.all(load.creates.map((id) => ended(fleet, id, { within: 40_000 })))
  const renamed = await Promise.all(load.renames.map((id) => ended(fleet, id, { within: 40_000 })))
  const jobs = [...creates, ...renamed]
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(jobs.map(() => 'completed'))
  await expectEachOnce(creates)
  const finished = renamed.map(({ finishedAt }) => finishedAt ?? '')
  expect(finished).toEqual([...finished].sort())
  expect((await inspect(fleet, container)).Name).toBe(`/name-${renames}`)
}

/** Every job's container is there, and no other bears its job's label. */
async function expectEachOnce(jobs: Job[]): Promise<void> {
  const labelled = (await fleet.census()).filter(({ labels }) => jobs.some(({ id }) => labels['deblox.job'] === id))
  const creates = jobs.filter(({ action }) => action === 'create-container')
  const expected = creates.map(({ id, slots }) => `${id} ${slots[0]?.container?.id}`)
  expect(labelled.map(({ id, labels }) => `${labels['deblox.job']} ${id}`).sort()).toEqual(expected.sort())
}
