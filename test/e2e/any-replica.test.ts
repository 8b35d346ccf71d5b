import { randomUUID } from 'node:crypto'
import type { Api } from '../support/api'
import { startFleet, type Fleet } from '../support/fleet'
import { create, inspect, listed, type Made } from './containers'
import { accepted, ended, type Job } from './jobs'

let fleet: Fleet
let first: Api
let second: Api

beforeAll(async () => {
  fleet = await startFleet({ apis: 2 })
  first = fleet.apiNumber(1)
  second = fleet.apiNumber(2)
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

test('what one replica created the other one starts, inspects, stops and deletes, on whichever dock it is', async () => {
  for (const hostname of ['dock1', 'dock2', 'dock3']) {
    const container = await create(fleet, { hostname }, first)
    const path = `/v1/containers/${container.id}`

    await expectStatus(200, second, 'POST', `${path}/start`)
    expect((await inspect(fleet, container)).State.Running).toBe(true)
    const { body } = await fleet.request(second, 'GET', path)
    expect(body).toMatchObject({ Id: container.id, State: { Running: true } })
    await expectStatus(200, second, 'POST', `${path}/stop`)
    expect((await inspect(fleet, container)).State.Running).toBe(false)
    await expectStatus(200, second, 'DELETE', path)
    expect((await fleet.census()).map(({ id }) => id)).not.toContain(container.id)
  }
})

test('replicas can take turns with one container, by its name and by its id', async () => {
  const { id, name } = await create(fleet, { name: 'turns' }, second)

  await expectStatus(200, first, 'POST', `/v1/containers/${name}/start`)
  await expectStatus(200, second, 'POST', `/v1/containers/${id.slice(0, 12)}/rename`, { name: 'turns-2' })
  await expectStatus(404, first, 'GET', `/v1/containers/${name}`)
  await expectStatus(200, second, 'POST', '/v1/containers/turns-2/stop')
  const { body } = await fleet.post({ action: 'delete-container', id: 'turns-2' }, first)
  expect(body).toMatchObject({ Response: '', statusCode: 204 })
  await expectStatus(404, second, 'GET', `/v1/containers/${id}`)
})

test('a job that one replica accepted can be followed on the other', async () => {
  const job = await accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', name: 'followed' }, first)

  const { state, slots } = await ended(fleet, job, { api: second })

  expect(state).toBe('completed')
  expect((await listed(fleet, '', second)).map(({ id }) => id)).toContain(slots[0]?.container?.id)
})

test('jobs for one container run in the order accepted, one at a time, whichever replica took them', async () => {
  const container = await create(fleet, { name: 'name-0' })
  const since = Math.floor(Date.now() / 1000)
  const names = Array.from({ length: 60 }, (_, n) => `name-${n + 1}`)

  // The dock has other work at the same time: its jobs come and go while these are taken.
  const others = Promise.all(
    names.map((_, n) =>
      accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', hostname: container.dock }, turn(n)),
    ),
  )
  const ids = await inOrder(names, (name, n) => ({ container, what: 'rename', body: { name }, api: turn(n) }))
  const jobs = await Promise.all(ids.map((id) => ended(fleet, id)))
  await Promise.all((await others).map((id) => ended(fleet, id)))

  expect(jobs.map(({ state }) => state)).toEqual(names.map(() => 'completed'))
  expect(await renamesOf(container, since)).toEqual(names)
  expectOneAtATime(jobs)
}, 60_000)

test('starts and stops of one container alternate as asked for, while those of others run beside them', async () => {
  const containers = await Promise.all(['dock1', 'dock1', 'dock2'].map((hostname) => create(fleet, { hostname })))
  const actions = ['start', 'stop', 'start', 'kill', 'start', 'restart', 'stop', 'start']

  const ids = await Promise.all(
    containers.map((container) => inOrder(actions, (what, n) => ({ container, what, api: turn(n) }))),
  )

  for (const [n, container] of containers.entries()) {
    const jobs = await Promise.all((ids[n] ?? []).map((id) => ended(fleet, id, { within: 40_000 })))
    // A kill of a stopped container, or of one that is not started yet, would fail.
    expect(jobs.map(({ state }) => state)).toEqual(actions.map(() => 'completed'))
    expectOneAtATime(jobs)
    expect((await inspect(fleet, container)).State.Running).toBe(true)
  }
}, 60_000)

test('many jobs that wait for one container’s turn hold up no other container of the dock', async () => {
  const stubborn = { cmd: ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"], start: true, hostname: 'dock3' }
  const container = await create(fleet, stubborn)
  const other = await create(fleet, { hostname: 'dock3' })
  const body = { timeout: 1 }
  await inOrder(Array(30).fill('restart'), (what: string, n) => ({ container, what, body, api: turn(n) }))

  const began = performance.now()
  await expectStatus(200, first, 'POST', `/v1/containers/${other.id}/start`)
  await expectStatus(200, second, 'GET', `/v1/docks/dock3/images`)
  // The restarts take more than thirty seconds.
  expect(performance.now() - began).toBeLessThan(3_000)
}, 30_000)

describe('with an Idempotency-Key', () => {
  test('a request that is sent twice, the second time to the other replica, yields one container', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    const body = { image: 'busybox', labels: { asked: 'twice', in: 'order' } }
    const one = await fleet.request(first, 'POST', '/v1/containers', body, headers)
    const other = { labels: { in: 'order', asked: 'twice' }, image: 'busybox' }
    const two = await fleet.request(second, 'POST', '/v1/containers', other, headers)

    expect([one.status, two.status]).toEqual([201, 201])
    expect(two.body.containers).toEqual(one.body.containers)
    expect(two.body.job.id).toBe(one.body.job.id)
    expect(await labelled('asked', 'twice')).toHaveLength(1)
  })

  test('a request that is sent ten times at once over both replicas yields one container for each instance', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    const body = { image: 'busybox', labels: { asked: 'often' }, instances: 2 }

    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) => fleet.request(turn(n), 'POST', '/v1/containers', body, headers)),
    )

    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 201))
    expect(new Set(replies.map((reply) => reply.body.job.id as string)).size).toBe(1)
    expect(await labelled('asked', 'often')).toHaveLength(2)
  })

  test('another request under the same key is refused, and changes nothing', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    const body = { image: 'busybox', labels: { asked: 'otherwise' } }
    await fleet.request(first, 'POST', '/v1/containers', body, headers)

    const fields = { ...body, start: true }
    const { status, body: problem } = await fleet.request(second, 'POST', '/v1/containers', fields, headers)

    expect({ status, problem }).toMatchObject({ status: 422, problem: { code: 'idempotency_key_reused' } })
    expect(await labelled('asked', 'otherwise')).toHaveLength(1)
  })

  test('a delete by name that is repeated finds its job, though the container is gone and another has its name', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    await create(fleet, { name: 'gone' })
    const one = await fleet.request(first, 'DELETE', '/v1/containers/gone', undefined, headers)
    const successor = await create(fleet, { name: 'gone' })

    const two = await fleet.request(second, 'DELETE', '/v1/containers/gone', undefined, headers)

    expect([one.status, two.status]).toEqual([200, 200])
    expect(two.body.job.id).toBe(one.body.job.id)
    expect((await fleet.census()).map(({ id }) => id)).toContain(successor.id)
  })
})

const turn = (n: number): Api => (n % 2 === 0 ? first : second)

interface Step {
  container: Made
  what: string
  body?: object
  api: Api
}

/** Asks for one step after the other, each as soon as the one before is accepted. */
async function inOrder<T>(items: T[], step: (item: T, n: number) => Step): Promise<string[]> {
  const ids: string[] = []
  for (const [n, item] of items.entries()) {
    const { container, what, body, api } = step(item, n)
    ids.push(await accepted(fleet, 'POST', `/v1/containers/${container.id}/${what}`, body, api))
  }
  return ids
}

function expectOneAtATime(jobs: Job[]): void {
  const spans = jobs.map(({ startedAt, finishedAt }) => ({ startedAt: startedAt ?? '', finishedAt: finishedAt ?? '' }))
  const overlaps = spans.flatMap((span, n) => {
    const next = spans[n + 1]
    return next && next.startedAt < span.finishedAt ? [{ n, ...span, next }] : []
  })
  expect(overlaps).toEqual([])
}

/** The names that a container was given, by Docker's own account. */
async function renamesOf({ id, dock }: Made, since: number): Promise<string[]> {
  const { docker } = fleet.dock(dock).engine
  const filters = JSON.stringify({ container: [id], event: ['rename'] })
  const stream = (await docker.getEvents({
    since,
    until: Math.ceil(Date.now() / 1000) + 1,
    filters,
  })) as AsyncIterable<Buffer>
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Actor: { Attributes: { name: string } } })
  return events.map(({ Actor }) => Actor.Attributes.name)
}

async function labelled(label: string, value: string) {
  return (await fleet.census()).filter(({ labels }) => labels[label] === value)
}

async function expectStatus(status: number, api: Api, method: string, path: string, body?: object): Promise<void> {
  const reply = await fleet.request(api, method, path, body)
  expect({ status: reply.status, body: reply.body }).toMatchObject({ status })
}
