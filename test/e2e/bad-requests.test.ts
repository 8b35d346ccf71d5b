import { startFleet, type Fleet } from '../support/fleet'
import type { CensusRow } from '../support/dock'
import { create, type Made } from './containers'
import { expectProblem } from './replies'

const hostile = [
  'json?all=1#',
  'x/../../info',
  '../../info',
  'a'.repeat(10_000),
  '',
  ' ',
  '-rf',
  'a b',
  '\u0007ab',
  'ä1',
]

let fleet: Fleet
let container: Made
let before: CensusRow[]
let jobsBefore: unknown

beforeAll(async () => {
  fleet = await startFleet()
  container = await create(fleet, { name: 'bystander', start: true })
  before = await fleet.census()
  jobsBefore = await newestJob()
}, 60_000)

// Whatever was sent: no container is another one than before, and no job was accepted.
afterEach(expectNothingChanged)

afterAll(() => fleet.stop(), 60_000)

describe('an id that is none never reaches a dock', () => {
  const actions = ['start', 'stop', 'restart', 'delete', 'inspect', 'kill', 'pause', 'unpause']

  test.each(hostile.map((id) => ({ id, shown: id.slice(0, 20) })))('$shown in a document', async ({ id }) => {
    for (const action of actions) {
      const reply = await fleet.post({ action: `${action}-container`, id })
      expectProblem(reply, 400, 'invalid_request', 'id', '64 hex digits, a prefix of at least 4, or a name', '"')
      expect((reply.body.detail as string).length).toBeLessThan(300)
    }
  })

  test.each(hostile.filter((id) => id !== '').map((id) => ({ id, shown: id.slice(0, 20) })))(
    '$shown in a path',
    async ({ id }) => {
      const path = `/v1/containers/${encodeURIComponent(id)}`
      for (const [method, of] of [
        ['GET', ''],
        ['DELETE', ''],
        ['POST', '/start'],
      ] as const) {
        const reply = await fleet.request(fleet.api, method, path + of)
        expectProblem(reply, 400, 'invalid_request', 'id', '64 hex digits, a prefix of at least 4, or a name', '"')
      }
    },
  )
})

describe('a request to the wrong place is refused', () => {
  test('an unknown route', async () => {
    for (const [method, path] of [
      ['GET', '/v2/containers'],
      ['POST', '/v1/nothing'],
      ['GET', '/etc/passwd'],
    ] as const) {
      const reply = await fleet.request(fleet.api, method, path)
      expectProblem(reply, 404, 'route_not_found', 'path', 'a route of /openapi.json', `${method} ${path}`)
    }
  })

  test('a method that the route does not take, with those that it takes', async () => {
    const reply = await fleet.request(fleet.api, 'PUT', '/v1/containers', {})
    expectProblem(reply, 405, 'method_not_allowed', 'method', 'GET, POST', 'PUT')
    expect(reply.headers.get('allow')).toBe('GET, POST')
  })

  test('a path that cannot be decoded', async () => {
    const reply = await fleet.request(fleet.api, 'GET', '/v1/containers/%E0%A4%A')
    expectProblem(reply, 400, 'invalid_request', 'path', 'valid percent-encoding', 'a path that cannot be decoded')
  })

  test('a field in the path and in the body, in the query of a POST, and in the body of a GET', async () => {
    const path = `/v1/containers/${container.id}`
    const twice = await fleet.request(fleet.api, 'POST', `${path}/start`, { id: 'other' })
    expectProblem(twice, 400, 'invalid_request', 'id', 'it in the path only', 'it twice')
    const inQuery = await fleet.request(fleet.api, 'POST', `${path}/stop?timeout=1`)
    expectProblem(inQuery, 400, 'invalid_request', 'timeout', 'it in the JSON body', 'it in the query')
    const inBody = await fleet.request(fleet.api, 'DELETE', path, { force: true })
    expectProblem(inBody, 400, 'invalid_request', 'force', 'it in the query', 'it in the body')
  })

  test('a template, a dock and a job that do not exist', async () => {
    const ask = (path: string) => fleet.request(fleet.api, 'GET', path)
    expectProblem(await ask('/v1/templates/none'), 404, 'template_not_found', 'template', 'a template', 'none')
    expectProblem(await ask('/v1/docks/none'), 404, 'dock_not_found', 'hostname', 'a registered dock', 'none')
    const job = '01900000-0000-7000-8000-000000000000'
    expectProblem(await ask(`/v1/jobs/${job}`), 404, 'job_not_found', 'id', 'the id of a job', job)
    const byDocument = await fleet.post({ action: 'create-container', template: 'none' })
    expectProblem(byDocument, 404, 'template_not_found', 'template', 'a template', 'none')
  })

  test('an Idempotency-Key and a cursor that are none', async () => {
    const body = { image: 'busybox' }
    const keyed = await fleet.request(fleet.api, 'POST', '/v1/containers', body, { 'Idempotency-Key': 'a b' })
    expectProblem(keyed, 400, 'invalid_request', 'Idempotency-Key', '1 to 255 visible ASCII characters', 'others')
    const paged = await fleet.request(fleet.api, 'GET', '/v1/containers?cursor=nonsense')
    expectProblem(paged, 400, 'invalid_request', 'cursor', 'the nextCursor of a page', '"nonsense"')
  })
})

async function expectNothingChanged(): Promise<void> {
  expect(await fleet.census()).toEqual(before)
  expect(await newestJob()).toEqual(jobsBefore)
  expect(fleet.api.process.running).toBe(true)
}

async function newestJob(): Promise<unknown> {
  return (await fleet.request(fleet.api, 'GET', '/v1/jobs?limit=1')).body
}
