import type Docker from 'dockerode'
import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { indexAgrees, listed, type Row } from './containers'

let fleet: Fleet
/** The engine of dock1, past Deblox. */
let docker: Docker

beforeAll(async () => {
  fleet = await startFleet()
  docker = fleet.dock('dock1').engine.docker
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

describe('what is done behind the worker’s back is in the index within a second', () => {
  test('a container that is made, started, paused, stopped and removed', async () => {
    const container = await docker.createContainer({ Image: 'busybox', name: 'by-hand' })
    await expectRow({ id: container.id, name: 'by-hand', dock: 'dock1', state: 'created' })
    await container.start()
    await expectRow({ id: container.id, state: 'running' })
    await container.pause()
    await expectRow({ id: container.id, state: 'paused' })
    await container.unpause()
    await expectRow({ id: container.id, state: 'running' })
    await container.stop()
    await expectRow({ id: container.id, state: 'exited' })
    await container.remove()
    await expectNoRow(container.id)
  })

  test('a container that is given another name: the old name finds nothing, and is free for another', async () => {
    const container = await docker.createContainer({ Image: 'busybox', name: 'before' })
    await expectRow({ id: container.id, name: 'before' })
    await container.rename({ name: 'after' })
    await expectRow({ id: container.id, name: 'after' })
    expect(await statusOf('before')).toBe(404)
    expect(await statusOf('after')).toBe(200)

    const other = await docker.createContainer({ Image: 'busybox', name: 'before' })
    await expectRow({ id: other.id, name: 'before' })
    expect(await statusOf('before')).toBe(200)
    await Promise.all([container.remove(), other.remove()])
    await expectNoRow(container.id)
  })

  test('a container that ends by itself, and one that removes itself', async () => {
    const ends = await docker.createContainer({ Image: 'busybox', Cmd: ['true'] })
    const vanishes = await docker.createContainer({ Image: 'busybox', Cmd: ['true'], HostConfig: { AutoRemove: true } })
    await Promise.all([ends.start(), vanishes.start()])
    await ends.wait()

    await expectRow({ id: ends.id, state: 'exited' })
    await eventually(async () => (await docker.listContainers({ all: true })).length === 1)
    await expectNoRow(vanishes.id)
    await ends.remove()
  })

  test('a hundred containers that are made and half of them removed at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 100 }, (_, n) => docker.createContainer({ Image: 'busybox', name: `crowd-${n}` })),
    )
    await Promise.all(made.filter((_, n) => n % 2 === 0).map((container) => container.remove()))
    await indexAgrees(fleet)
    expect(await listed(fleet)).toHaveLength(50)
    await Promise.all(made.filter((_, n) => n % 2 === 1).map((container) => container.remove()))
    await indexAgrees(fleet)
  }, 30_000)
})

test('what was done while the worker was down is in the index as soon as it is up', async () => {
  const removed = await docker.createContainer({ Image: 'busybox', name: 'removed-meanwhile' })
  const renamed = await docker.createContainer({ Image: 'busybox', name: 'renamed-meanwhile' })
  await expectRow({ id: renamed.id, name: 'renamed-meanwhile' })
  const dock = fleet.dock('dock1')

  await dock.worker.stop()
  await removed.remove()
  await renamed.rename({ name: 'another-name' })
  const made = await docker.createContainer({ Image: 'busybox', name: 'made-meanwhile' })
  expect(await rowOf(removed.id)).toMatchObject({ stale: true })
  dock.launch()
  await fleet.docksReady()

  await indexAgrees(fleet)
  expect(await rowOf(renamed.id)).toMatchObject({ name: 'another-name', stale: false })
  await Promise.all([renamed.remove(), made.remove()])
}, 30_000)

test('after a restart of the engine the index is exact again, and follows what happens then', async () => {
  const container = await docker.createContainer({ Image: 'busybox', name: 'restarted' })
  await container.start()
  await expectRow({ id: container.id, state: 'running' })

  await fleet.dock('dock1').engine.kill()
  await fleet.dock('dock1').engine.start()

  await eventually(
    () => rowOf(container.id),
    (row) => row?.state === 'exited',
    { what: 'its container is seen stopped' },
  )
  await indexAgrees(fleet, 5_000)
  const later = await docker.createContainer({ Image: 'busybox', name: 'made-later' })
  await expectRow({ id: later.id, name: 'made-later' })
  await Promise.all([container.remove(), later.remove()])
}, 60_000)

test('unregister takes a dock’s rows out of the index, its containers run on, and register brings them back', async () => {
  const container = await docker.createContainer({ Image: 'busybox', name: 'left-running' })
  await container.start()
  await expectRow({ id: container.id, state: 'running' })

  expect(await fleet.request(fleet.api, 'DELETE', '/v1/docks/dock1')).toMatchObject({ status: 204 })
  expect(await listed(fleet)).toEqual([])
  expect(await statusOf('left-running')).toBe(404)
  expect((await docksKnown()).map(({ hostname }) => hostname)).toEqual(['dock2', 'dock3'])
  await container.rename({ name: 'still-running' })
  expect((await container.inspect()).State.Running).toBe(true)

  expect(await fleet.request(fleet.api, 'PUT', '/v1/docks/dock1')).toMatchObject({ status: 204 })
  await eventually(
    () => rowOf(container.id),
    (row) => row?.name === 'still-running',
    { what: 'its rows are back' },
  )
  const known = { hostname: 'dock1', state: 'ready', engineVersion: expect.any(String) }
  await eventually(async () => expect((await docksKnown())[0]).toMatchObject(known))
  await container.remove({ force: true })
}, 30_000)

test('the list is paged: all pages together are every container once, sorted by dock and name', async () => {
  const made = await Promise.all(
    fleet.docks.flatMap(({ engine }) =>
      Array.from({ length: 4 }, (_, n) => engine.docker.createContainer({ Image: 'busybox', name: `page-${n}` })),
    ),
  )
  await indexAgrees(fleet)

  const pages: Row[][] = []
  let cursor = ''
  do {
    const { body } = await fleet.request(fleet.api, 'GET', `/v1/containers?limit=5${cursor}`)
    pages.push(body.items as Row[])
    cursor = body.nextCursor === null ? '' : `&cursor=${encodeURIComponent(String(body.nextCursor))}`
  } while (cursor !== '')

  expect(pages.map(({ length }) => length)).toEqual([5, 5, 2])
  const order = ['dock1', 'dock2', 'dock3'].flatMap((dock) => [0, 1, 2, 3].map((n) => `${dock} page-${n}`))
  expect(pages.flat().map(({ dock, name }) => `${dock} ${name}`)).toEqual(order)
  await Promise.all(made.map((container) => container.remove()))
})

async function rowOf(id: string): Promise<Row | undefined> {
  return (await listed(fleet)).find((row) => row.id === id)
}

/** A second is what the index has. */
async function expectRow(row: Partial<Row> & { id: string }): Promise<void> {
  await eventually(async () => expect(await rowOf(row.id)).toMatchObject(row), undefined, {
    within: 1_000,
    what: `the index says ${JSON.stringify(row)}`,
  })
}

async function expectNoRow(id: string): Promise<void> {
  await eventually(async () => (await rowOf(id)) === undefined, undefined, {
    within: 1_000,
    what: `the index knows ${id} no more`,
  })
}

async function statusOf(reference: string): Promise<number> {
  return (await fleet.request(fleet.api, 'GET', `/v1/containers/${reference}`)).status
}

async function docksKnown(): Promise<{ hostname: string }[]> {
  return (await fleet.request(fleet.api, 'GET', '/v1/docks')).body.items as { hostname: string }[]
}
