import type { Dock } from '../support/dock'
import { eventually } from '../support/eventually'
import { startFleet, type Fleet } from '../support/fleet'
import { create, indexAgrees, inspect } from './containers'
import { accepted, ended, jobOf, type Job } from './jobs'

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet()
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

afterEach(async () => {
  await Promise.all(fleet.docks.map(({ engine }) => engine.reset()))
}, 60_000)

test('a daemon that is killed in a storm of creates has one container for each job when it is back, and the index is right', async () => {
  const jobs = await storm('killed', { hostname: 'dock1' })
  await someMade('killed')
  await dock1().engine.kill()
  await stateBecomes('daemon-unhealthy')
  await dock1().engine.start()

  await expectEachOnce(await Promise.all(jobs.map((id) => ended(fleet, id, { within: 60_000 }))))
  await indexAgrees(fleet, 30_000)
  await stateBecomes('ready')
}, 120_000)

test('a daemon that hangs in a storm of creates is known to within 5 s, others go on, and each job has one container afterwards', async () => {
  const own = await storm('own', { hostname: 'dock1' })
  await someMade('own')
  await dock1().engine.pause()
  const hung = performance.now()
  await stateBecomes('daemon-unhealthy')
  expect(performance.now() - hung).toBeLessThan(5_000)

  const others = await Promise.all((await storm('others')).map((id) => ended(fleet, id)))
  expect(others.map(({ dock }) => dock)).not.toContain('dock1')
  await dock1().engine.resume()

  const jobs = await Promise.all(own.map((id) => ended(fleet, id, { within: 40_000 })))
  await expectEachOnce([...jobs, ...others])
  await indexAgrees(fleet, 30_000)
}, 120_000)

test('a worker that was frozen for longer than its lease goes on under the next one, and what it was doing gets done', async () => {
  // Its shell ignores SIGTERM, so that a stop takes all of its time.
  const stubborn = ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"]
  const { id, dock } = await create(fleet, { hostname: 'dock1', cmd: stubborn, start: true })
  const job = await accepted(fleet, 'POST', `/v1/containers/${id}/stop`, { timeout: 25 })
  await eventually(async () => (await jobOf(fleet, job)).state === 'active')
  await dock1().worker.pause()
  await stateBecomes('unreachable')
  dock1().worker.resume()

  await dock1().worker.waitForLine(/the lease had run out; it was free and is taken again/)
  await stateBecomes('ready')
  expect(await ended(fleet, job, { within: 50_000 })).toMatchObject({ state: 'completed', dock: 'dock1' })
  expect((await inspect(fleet, { id, dock })).State.Running).toBe(false)
}, 120_000)

test('a dock whose worker froze and whose daemon died has nothing twice when both are back', async () => {
  const jobs = await storm('taken-over')
  await someMade('taken-over')
  await dock1().worker.pause()
  await dock1().engine.kill()

  // What it had taken is given to others when its lease has ended.
  const done = await Promise.all(jobs.map((id) => ended(fleet, id, { within: 60_000 })))
  await dock1().engine.start()
  dock1().worker.resume()

  await stateBecomes('ready')
  await eventually(() => expectEachOnce(done), undefined, { within: 30_000 })
  await indexAgrees(fleet, 30_000)
}, 150_000)

test('a worker that is stopped while it starts, beside a daemon that hangs, gives back the lease that it took', async () => {
  await dock1().worker.stop()
  await stateBecomes('unreachable')
  await dock1().engine.pause()
  const starting = dock1().launch()
  await eventually(async () => (await stateOfDock1()) !== 'unreachable')

  expect(await starting.stop()).toEqual({ code: 0, signal: null })
  // Not ten seconds later, when a lease that was left behind would end.
  expect(await stateOfDock1()).toBe('unreachable')
  await dock1().engine.resume()
  dock1().launch()
  await stateBecomes('ready')
}, 60_000)

const dock1 = (): Dock => fleet.dock('dock1')

/** Creates that are accepted all at once. */
function storm(name: string, fields: object = {}): Promise<string[]> {
  const bodies = Array.from({ length: 40 }, (_, n) => ({ image: 'busybox', name: `${name}-${n}`, ...fields }))
  return Promise.all(bodies.map((body) => accepted(fleet, 'POST', '/v1/containers', body)))
}

/** Waits until dock1 is in the middle of it. */
async function someMade(name: string): Promise<void> {
  await eventually(async () => (await dock1().census()).some((row) => row.name.startsWith(`${name}-`)))
}

async function stateBecomes(state: string): Promise<void> {
  await eventually(stateOfDock1, (seen) => seen === state, { within: 30_000, what: `dock1 is ${state}` })
}

async function stateOfDock1(): Promise<string> {
  return (await fleet.request(fleet.api, 'GET', '/v1/docks/dock1')).body.state as string
}

/** Every job has ended well, its container is there, and no other bears its label. */
async function expectEachOnce(jobs: Job[]): Promise<void> {
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(jobs.map(() => 'completed'))
  const ids = new Set(jobs.map(({ id }) => id))
  const labelled = (await fleet.census()).filter(({ labels }) => ids.has(labels['deblox.job'] ?? ''))
  const expected = jobs.map(({ id, slots }) => `${id} ${slots[0]?.container?.id}`)
  expect(labelled.map(({ id, labels }) => `${labels['deblox.job']} ${id}`).sort()).toEqual(expected.sort())
}
