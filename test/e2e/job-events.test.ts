import { randomBytes } from 'node:crypto'
import type { Engine } from '../support/engines'
import { type Fleet, startFleet } from '../support/fleet'
import { type Registry, startRegistry } from '../support/registry'
import type { RunningProcess } from '../support/processes'
import { sharedEngines } from '../support/shared'
import { startSlowRegistry } from '../support/slow-registry'
import { Events } from '../support/sse'
import { accepted } from './jobs'

let fleet: Fleet
let registry: Registry
let slowRegistry: RunningProcess

beforeAll(async () => {
  const [first, second] = sharedEngines() as [Engine, Engine]
  registry = await startRegistry(first)
  slowRegistry = await startSlowRegistry(second)
  await pushLarge(first)
  fleet = await startFleet({ docks: 2, apis: 2 })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await registry.remove()
  await slowRegistry.kill()
}, 60_000)

/** An image of which the engine has a layer less than the registry. */
async function pushLarge({ docker }: Engine): Promise<void> {
  const container = await docker.createContainer({
    Image: 'busybox',
    Cmd: ['sh', '-c', `head -c 20000000 /dev/urandom > /${randomBytes(4).toString('hex')}`],
  })
  await container.start()
  await container.wait()
  await container.commit({ repo: 'large', tag: 'latest', changes: 'CMD ["sleep", "3600"]' })
  await container.remove()
  await registry.push('large', 'library/large', 'latest')
  await docker.getImage('large').remove()
}

const follow = (id: string, { api = fleet.api, after = '' } = {}) =>
  Events.open(`${api.url}/v1/jobs/${id}/events`, after === '' ? {} : { 'last-event-id': after })

test('a create that pulls its image tells where it is placed and why, how far each layer is, and what it made', async () => {
  const id = await accepted(fleet, 'POST', '/v1/containers', { image: 'large', hostname: 'dock1', name: 'pulled' })
  const events = await follow(id)
  await events.over
  const names = events.names()
  expect(names.filter((name) => name !== 'pull')).toEqual([
    'accepted',
    'placed',
    'started',
    'docker',
    'completed',
    'completed',
    'end',
  ])
  expect(events.heard[1]?.data).toMatchObject({ slot: 1, dock: 'dock1', reason: 'named', why: expect.any(String) })
  const pulls = events.heard.filter(({ event }) => event === 'pull').map(({ data }) => data)
  const { image, layers } = pulls.at(-1)
  expect(image).toBe('large:latest')
  expect(Object.values(layers).map((layer) => (layer as { status: string }).status)).toEqual([
    'Already exists',
    'Pull complete',
  ])
  const [docker, completed] = events.heard.slice(-4)
  expect(docker).toMatchObject({ event: 'docker', data: { status: 201, dock: 'dock1' } })
  expect(completed?.data).toMatchObject({ attempts: 1, container: { name: 'pulled' } })
  expect(events.heard.at(-1)?.data).toMatchObject({ job: { id, state: 'completed' } })
})

test('a create that Docker refuses tells its words', async () => {
  const body = { image: 'busybox', cmd: ['/not-there'], start: true }
  const events = await follow(await accepted(fleet, 'POST', '/v1/containers', body))
  await events.over
  expect(events.names()).toEqual(['accepted', 'placed', 'started', 'docker', 'failed', 'failed', 'end'])
  const [, placed, , docker, failed] = events.heard
  expect(placed?.data).toMatchObject({ reason: 'free', dock: expect.stringMatching(/^dock[12]$/) })
  expect(docker?.data).toMatchObject({ status: 400, message: expect.stringContaining('/not-there') })
  expect(failed?.data).toMatchObject({ error: { code: 'docker_error', status: 400 } })
})

test('who loses his replica in the middle of a pull goes on at another one, and hears it cancelled', async () => {
  const id = await accepted(fleet, 'POST', '/v1/containers', { image: 'endless', hostname: 'dock2' })
  const first = await follow(id)
  const { id: after, data } = await first.next(({ event }) => event === 'pull')
  expect(data).toMatchObject({ image: 'endless:latest', layers: expect.anything() })
  const told = first.heard.map((event) => event.id)
  await fleet.api.process.kill()
  expect(await first.over).not.toBe('end')

  const other = fleet.apiNumber(2)
  const second = await follow(id, { api: other, after })
  await fleet.request(other, 'POST', `/v1/jobs/${id}/cancel`)
  expect(await second.over).toBe('end')
  expect(second.names().filter((name) => name !== 'pull')).toEqual(['cancelled', 'cancelled', 'end'])
  expect(second.heard.map((event) => event.id).filter((one) => told.includes(one))).toEqual([])
  expect(second.heard.at(-1)?.data).toMatchObject({ job: { state: 'cancelled', error: { code: 'job_cancelled' } } })
  fleet.api.launch()
  await fleet.api.ready()
}, 20_000)
