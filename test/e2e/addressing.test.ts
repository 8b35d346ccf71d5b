import { startFleet, type Fleet } from '../support/fleet'
import type { Reply } from '../support/http'
import { create, indexAgrees, inspect, type Made } from './containers'
import { expectDone, expectRefused } from './replies'

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet()
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

test('a container is found by its id, a prefix of four digits or more, and its name', async () => {
  const { id, name } = await create(fleet, { name: 'found-by-all' })
  for (const reference of [id, id.slice(0, 12), id.slice(0, 4), name]) {
    expect((await request('GET', `/v1/containers/${reference}`)).body).toMatchObject({ Id: id })
  }
})

test('a container that does not exist is answered with 404', async () => {
  for (const reference of ['0'.repeat(64), 'no-such-name', '0'.repeat(12)]) {
    await expectRefused(request('GET', `/v1/containers/${reference}`), 404, 'container_not_found')
    await expectRefused(request('POST', `/v1/containers/${reference}/start`), 404, 'container_not_found')
  }
})

test('a container whose name two docks have is answered with 409 and the candidates, and found with its dock', async () => {
  const [one, two] = [await create(fleet, twin('dock1')), await create(fleet, twin('dock2'))]
  const { candidates } = await expectRefused(request('POST', '/v1/containers/twin/start'), 409, 'ambiguous_container')
  const expected = [one, two].map(({ id, dock }) => ({ id, name: 'twin', dock }))
  expect(candidates).toEqual(expect.arrayContaining(expected))

  await expectDone(request('POST', '/v1/containers/twin/start', { hostname: 'dock2' }))
  expect((await inspect(fleet, two)).State.Running).toBe(true)
  expect((await inspect(fleet, one)).State.Running).toBe(false)
})

test('a container whose prefix another one has too is answered with 409 and the candidates', async () => {
  const prefix = await sharedPrefix()
  const { candidates } = await expectRefused(request('GET', `/v1/containers/${prefix}`), 409, 'ambiguous_container')
  expect((candidates as Made[]).every(({ id }) => id.startsWith(prefix))).toBe(true)
  expect(candidates).toHaveLength(2)
}, 60_000)

const twin = (hostname: string) => ({ hostname, name: 'twin' })

function request(method: string, path: string, body?: object): Promise<Reply> {
  return fleet.request(fleet.api, method, path, body)
}

/** Four digits with which the ids of two containers begin: by the birthday paradox a few hundred have some. */
async function sharedPrefix(): Promise<string> {
  for (;;) {
    await Promise.all(fleet.docks.map(({ engine }) => engine.docker.createContainer({ Image: 'busybox' })))
    const prefixes = (await fleet.census()).map(({ id }) => id.slice(0, 4))
    const shared = prefixes.filter((prefix, n) => prefixes.indexOf(prefix) !== n)
    if (shared[0] === undefined) continue
    await indexAgrees(fleet)
    return shared[0]
  }
}
