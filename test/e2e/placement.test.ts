import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { countByDock, create, indexAgrees, listed } from './containers'
import { ended, jobIn } from './jobs'

const template = { template: 'test' }

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet({ apis: 2 })
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

afterEach(removeAll, 30_000)

test('nine instances over three docks land three on each', async () => {
  const { status, body } = await fleet.request(fleet.api, 'POST', '/v1/containers', { ...template, instances: 9 })

  expect(status).toBe(201)
  expect(body.containers).toHaveLength(9)
  expect(await countByDock(fleet)).toEqual({ dock1: 3, dock2: 3, dock3: 3 })
})

test('nine instances by the document of the original land three on each as well', async () => {
  await fleet.post({ action: 'create-container', ...template, instances: 9 })
  expect(await countByDock(fleet)).toEqual({ dock1: 3, dock2: 3, dock3: 3 })
})

test('three times two instances from two replicas land two on each: each goes on where the other stopped', async () => {
  for (const number of [1, 2, 1]) {
    await fleet.request(fleet.apiNumber(number), 'POST', '/v1/containers', { ...template, instances: 2 })
  }
  expect(await countByDock(fleet)).toEqual({ dock1: 2, dock2: 2, dock3: 2 })
})

test('one hundred concurrent creates all succeed, land on all docks, and each container exists exactly once', async () => {
  const names = Array.from({ length: 100 }, (_, n) => `one-of-hundred-${n}`)
  const replies = await Promise.all(
    names.map((name, n) =>
      fleet.request(fleet.apiNumber(1 + (n % 2)), 'POST', '/v1/containers', { ...template, name }),
    ),
  )

  expect(replies.map(({ status }) => status)).toEqual(names.map(() => 201))
  const census = await fleet.census()
  expect(census.map(({ name }) => name).sort()).toEqual([...names].sort())
  const answered = replies.map(({ body }) => `${body.containers[0].id} ${body.containers[0].dock}`)
  expect(answered.sort()).toEqual(census.map(({ id, dock }) => `${id} ${dock}`).sort())
  expect(Object.values(await countByDock(fleet)).every((count) => count > 10)).toBe(true)
  await indexAgrees(fleet)
}, 60_000)

test('a create with a hostname goes to that dock, all its instances too', async () => {
  const made = await create(fleet, { hostname: 'dock2' })
  await create(fleet, { hostname: 'dock2', instances: 3, name: 'web' })

  expect(made.dock).toBe('dock2')
  expect(await countByDock(fleet)).toEqual({ dock1: 0, dock2: 4, dock3: 0 })
  const names = (await listed(fleet, '&dock=dock2')).map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['web-1', 'web-2', 'web-3']))
})

test('a create with the hostname of no dock is refused and leaves no job', async () => {
  const before = await fleet.request(fleet.api, 'GET', '/v1/jobs?limit=1')
  const { status, body } = await fleet.request(fleet.api, 'POST', '/v1/containers', { ...template, hostname: 'dock9' })

  expect({ status, body }).toMatchObject({ status: 404, body: { code: 'dock_not_found' } })
  expect((await fleet.request(fleet.api, 'GET', '/v1/jobs?limit=1')).body).toEqual(before.body)
})

test('a drained dock is given nothing, and its share again when it is no longer drained', async () => {
  await drain('dock2', true)
  expect((await fleet.request(fleet.api, 'GET', '/v1/docks/dock2')).body).toMatchObject({ state: 'drained' })
  await fleet.request(fleet.api, 'POST', '/v1/containers', { ...template, instances: 4 })
  await Promise.all(Array.from({ length: 12 }, () => create(fleet)))
  const { dock2, ...others } = await countByDock(fleet)
  expect(dock2).toBe(0)
  expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBe(16)

  await drain('dock2', false)
  await fleet.request(fleet.api, 'POST', '/v1/containers', { ...template, instances: 3 })
  expect((await countByDock(fleet))['dock2']).toBe(1)
  // Its worker learns of it with its next heartbeat.
  await eventually(async () => (await create(fleet)).dock === 'dock2', undefined, { what: 'dock2 takes part again' })
}, 30_000)

test('with no dock ready a create is accepted and waits, and is done once a dock comes up', async () => {
  await Promise.all(fleet.docks.map(({ worker }) => worker.stop()))
  await fleet.docksReady([])
  const now = { Prefer: 'wait=0' }

  const one = await fleet.request(fleet.api, 'POST', '/v1/containers', { ...template, name: 'patient' }, now)
  const several = await fleet.request(fleet.api, 'POST', '/v1/containers', { ...template, instances: 3 }, now)
  const document = JSON.stringify({ action: 'create-container', ...template })
  const byDocument = await fleet.request(fleet.api, 'POST', '/', document, now)
  const jobs = [one, several, byDocument].map(jobIn)
  expect(await fleet.census()).toEqual([])

  fleet.dock('dock3').launch()
  const outcomes = await Promise.all(jobs.map((job) => ended(fleet, job)))
  expect(outcomes.map(({ state, dock }) => [state, dock])).toEqual(jobs.map(() => ['completed', 'dock3']))
  expect((await fleet.census()).map(({ dock }) => dock)).toEqual(Array(5).fill('dock3'))

  fleet.dock('dock1').launch()
  fleet.dock('dock2').launch()
  await fleet.docksReady()
}, 60_000)

async function drain(hostname: string, drain: boolean): Promise<void> {
  const { status, body } = await fleet.request(fleet.api, 'PATCH', `/v1/docks/${hostname}`, { drain })
  expect({ status, body }).toMatchObject({ status: 200, body: { drain } })
}

async function removeAll(): Promise<void> {
  for (const { engine } of fleet.docks) {
    const containers = await engine.docker.listContainers({ all: true })
    await Promise.all(containers.map(({ Id }) => engine.docker.getContainer(Id).remove({ force: true })))
  }
  await indexAgrees(fleet, 5_000)
}
