import { actions } from '@deblox/actions/registry'
import type Docker from 'dockerode'
import { eventually } from '../support/eventually'
import { startFleet, type Fleet } from '../support/fleet'
import type { Reply } from '../support/http'
import { startRegistry, type Registry } from '../support/registry'
import { create, inspect, listed, type Made } from './containers'
import { expectDone, expectRefused } from './replies'

const forever = ['sh', '-c', "trap 'exit 0' TERM; while :; do sleep 1; done"]

let fleet: Fleet
let docker: Docker
let registry: Registry
const asked = new Set<string>()

beforeAll(async () => {
  fleet = await startFleet()
  docker = fleet.dock('dock1').engine.docker
  registry = await startRegistry(fleet.dock('dock1').engine)
  await registry.push('busybox', 'team/tool', '1.0')
}, 60_000)

afterAll(async () => {
  await registry.remove()
  await fleet.stop()
}, 60_000)

test('create-container and create-raw-container answer 201 with the job and the container', async () => {
  const created = await request('POST', '/v1/containers', { image: 'busybox', name: 'one' })
  const raw = await request('POST', '/v1/containers/raw', { body: { Image: 'busybox' }, name: 'two' })

  for (const [{ status, body }, name] of [
    [created, 'one'],
    [raw, 'two'],
  ] as const) {
    expect(status).toBe(201)
    expect(Object.keys(body)).toEqual(['job', 'containers'])
    expect(body.job).toMatchObject({ state: 'completed', actor: 'anonymous', owner: 'anonymous', attempts: 1 })
    expect(body.containers).toEqual([{ id: body.job.result.Id, name, dock: body.job.dock, slot: 1 }])
  }
})

test('start, pause, unpause, kill, stop, restart, rename, update and delete do what they say', async () => {
  const made = await create(fleet, { cmd: forever, name: 'lively', memory: '64m' })
  const state = async () => (await inspect(fleet, made)).State.Status
  const act = (what: string, body?: object) => expectDone(request('POST', `/v1/containers/lively/${what}`, body))

  await act('start')
  await act('start')
  expect(await state()).toBe('running')
  await act('pause')
  expect(await state()).toBe('paused')
  await act('unpause')
  expect(await state()).toBe('running')
  await act('kill', { signal: 'SIGKILL' })
  expect(await state()).toBe('exited')
  await act('restart', { timeout: 1 })
  expect(await state()).toBe('running')
  await act('update', { memory: '96m', cpus: 0.25, restart: 'always' })
  const { HostConfig } = await inspect(fleet, made)
  expect(HostConfig).toMatchObject({ Memory: 96 * 2 ** 20, NanoCpus: 2.5e8, RestartPolicy: { Name: 'always' } })
  await act('stop', { timeout: 5 })
  expect(await state()).toBe('exited')
  await act('stop')
  await act('transfer', { owner: 'team:ops' })
  expect((await listed(fleet)).find(({ id }) => id === made.id)).toMatchObject({ owner: 'team:ops' })
  await act('rename', { name: 'quiet' })
  expect((await inspect(fleet, made)).Name).toBe('/quiet')
  await expectDone(request('DELETE', '/v1/containers/quiet'))
  expect((await fleet.census()).map(({ id }) => id)).not.toContain(made.id)
})

test('delete takes a running container with force only, and its anonymous volumes where told to', async () => {
  const running = await create(fleet, { hostname: 'dock1', start: true, mounts: [{ target: '/data' }] })
  const [volume] = (await inspect(fleet, running)).Mounts
  await expectRefused(
    request('DELETE', `/v1/containers/${running.id}`),
    409,
    'docker_error',
    /cannot remove a running/i,
  )
  await remove(running, '?force=true')
  expect((await docker.getVolume(volume?.Name ?? '').inspect()).Name).toBe(volume?.Name)
  await docker.getVolume(volume?.Name ?? '').remove()

  const other = await create(fleet, { hostname: 'dock1', start: true, mounts: [{ target: '/data' }] })
  const [gone] = (await inspect(fleet, other)).Mounts
  await remove(other, '?force=true&volumes=true')
  await expect(docker.getVolume(gone?.Name ?? '').inspect()).rejects.toMatchObject({ statusCode: 404 })
})

test('what Docker refuses is answered with Docker’s status and message', async () => {
  const { id } = await create(fleet, { name: 'still' })
  const path = `/v1/containers/${id}`
  await expectRefused(request('POST', `${path}/kill`), 409, 'docker_error', /is not running/)
  await expectRefused(request('POST', `${path}/pause`), 409, 'docker_error', /is not running/)
  await expectRefused(request('POST', `${path}/unpause`), 500, 'docker_error', /is not paused/)
})

test('pull-image, list-images and delete-image change and show the images of one dock', async () => {
  const { status, body } = await request('POST', '/v1/docks/dock1/images', { image: 'team/tool:1.0' })
  expect({ status, body }).toMatchObject({ status: 200, body: { job: { state: 'completed', dock: 'dock1' } } })
  expect(await tags('dock1')).toContain('team/tool:1.0')
  expect(await tags('dock2')).not.toContain('team/tool:1.0')

  await expectDone(request('DELETE', '/v1/docks/dock1/images/team%2Ftool:1.0'))
  expect(await tags('dock1')).not.toContain('team/tool:1.0')
  const gone = request('DELETE', '/v1/docks/dock1/images/team%2Ftool:1.0')
  await expectRefused(gone, 404, 'docker_error', /No such image: team\/tool:1.0/)
})

test('list-containers shows one dock’s containers in the shape of the fleet-wide list', async () => {
  const made = await create(fleet, { hostname: 'dock3', name: 'listed', labels: { team: 'red' } })
  const { items } = (await request('GET', '/v1/docks/dock3/containers')).body

  const row = (items as { id: string }[]).find(({ id }) => id === made.id)
  expect(row).toMatchObject({ name: 'listed', dock: 'dock3', image: 'busybox', state: 'created', stale: false })
  const fields = 'id name dock image state status owner labels createdAt observedAt stale'.split(' ')
  expect(Object.keys(row ?? {}).sort()).toEqual([...fields].sort())
  const indexed = (await listed(fleet)).find(({ id }) => id === made.id)
  expect(Object.keys(indexed ?? {}).sort()).toEqual([...fields].sort())
})

test('inspect-container answers what Docker says, with sizes where asked', async () => {
  const made = await create(fleet)
  expect((await request('GET', `/v1/containers/${made.id}`)).body).toEqual(await inspect(fleet, made))
  expect((await request('GET', `/v1/containers/${made.id}?size=true`)).body).toMatchObject({ SizeRw: 0 })
})

test('top-container and list-changes tell what runs, and what it has changed in its files', async () => {
  const made = await create(fleet, { cmd: ['sh', '-c', 'touch /made && sleep 60'], init: true, start: true })
  const top = await request('GET', `/v1/containers/${made.id}/top`)
  expect(top.body).toMatchObject({ Titles: expect.arrayContaining(['PID', 'CMD']), Processes: expect.any(Array) })
  const changes = async () => (await request('GET', `/v1/containers/${made.id}/changes`)).body as unknown
  await eventually(async () => expect(JSON.stringify(await changes())).toContain('/made'))
})

test('top-container lists processes, and list-changes the files that the image has otherwise', async () => {
  const made = await create(fleet, { cmd: ['sh', '-c', 'touch /new; exec sleep 4321'] })
  await expectDone(request('POST', `/v1/containers/${made.id}/start`))
  const top = async (query = '') => (await request('GET', `/v1/containers/${made.id}/top${query}`)).body
  await eventually(async () => expect(JSON.stringify(await top())).toContain('sleep 4321'))
  expect(await top('?psArgs=-o%20pid,comm')).toMatchObject({ Titles: ['PID', 'COMMAND'] })
  await expectRefused(request('GET', `/v1/containers/${made.id}/top?psArgs=auxe`), 400, 'invalid_request')
  const changes = async () => (await request('GET', `/v1/containers/${made.id}/changes`)).body
  await eventually(async () => expect((await changes()).items).toContainEqual({ Path: '/new', Kind: 1 }))
})

test('register and unregister change the set of known docks', async () => {
  expect((await request('PUT', '/v1/docks/dock9')).status).toBe(204)
  expect((await request('GET', '/v1/docks/dock9')).body).toMatchObject({ state: 'unreachable', lastSeen: null })
  expect((await request('DELETE', '/v1/docks/dock9')).status).toBe(204)
  await expectRefused(request('GET', '/v1/docks/dock9'), 404, 'dock_not_found')
})

test('every action has been carried out by its REST route here', () => {
  const missing = [...actions.values()].filter(({ method, path }) => {
    const pattern = new RegExp(`^${method} ${path.replace(/:\w+/g, '[^/?]+')}(\\?|$)`)
    return ![...asked].some((request) => pattern.test(request))
  })
  expect(missing.map(({ name }) => name)).toEqual([])
})

function request(method: string, path: string, body?: object): Promise<Reply> {
  asked.add(`${method} ${path}`)
  return fleet.request(fleet.api, method, path, body)
}

const remove = ({ id }: Made, query = ''): Promise<void> =>
  expectDone(request('DELETE', `/v1/containers/${id}${query}`))

async function tags(dock: string): Promise<string[]> {
  const { items } = (await request('GET', `/v1/docks/${dock}/images`)).body
  return (items as { tags: string[] }[]).flatMap(({ tags }) => tags)
}
