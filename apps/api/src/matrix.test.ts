import { actions } from '@deblox/actions/registry'
import type { JobRecord } from '@deblox/fleet/job'
import { send } from '../../../test/support/http'
import { refusedWebSocket } from '../../../test/support/stream-api'
import { Events } from '../../../test/support/sse'
import { type Asker, askers, bodyOf, type Expected, expectOn, expectOther, type ObjectKind } from './testing/matrix'
import { callRoutes, objects, roleOf, routesElse } from './testing/matrix'
import { useGuardedApi } from '../../../test/support/guarded-api'

const api = useGuardedApi()
const onContainers = [...actions.values()].filter(({ target }) => target === 'container')
const others = [...actions.values()].filter(({ target }) => target !== 'container')

let cases = 0

/** Sends it as that asker, who does not wait: there is no dock that would carry anything out. */
async function ask(asker: Asker, method: string, path: string, body?: object, more: Record<string, string> = {}) {
  cases++
  const headers = { ...api.headersOf(asker), prefer: 'respond-async', ...more }
  const sent = method === 'GET' || method === 'DELETE' ? undefined : (body ?? {})
  const answer = await send(`${api.url()}${path}`, method, sent, headers)
  return { ...answer, verdict: verdictOf(asker, answer.status) }
}

/** Asks for a WebSocket. Nobody holds the lease of any dock, so that none is opened. */
async function askByWebSocket(asker: Asker, path: string) {
  cases++
  const { status, body } = await refusedWebSocket(`${api.url()}${path}`, api.headersOf(asker))
  return { status, body, verdict: verdictOf(asker, status) }
}

/** How an answer counts: whatever is no refusal went through. Bad credentials are refused by their number, too. */
function verdictOf(asker: Asker, status: number): Expected {
  if (status === 429 && (asker === 'expired' || asker === 'revoked')) return 401
  return status === 401 || status === 403 || status === 404 ? status : 'allowed'
}

const wrong: string[] = []

beforeEach(() => {
  wrong.length = 0
})

function compare(what: string, verdict: Expected, expected: Expected, body: unknown): void {
  if (verdict !== expected) wrong.push(`${what}: expected ${expected}, got ${verdict} ${JSON.stringify(body)}`)
}

describe.each(askers)('%s', (asker) => {
  test.each(onContainers.map((action) => [action.name, action] as const))('%s', async (name, { method, path }) => {
    const askAll = async (object: ObjectKind): Promise<void> => {
      const expected = expectOn(name, asker, object)
      const { id, name: called } = api.container(asker, object)
      const [beforeId = '', afterId = ''] = path.split(':id')
      for (const reference of [id, called, id.slice(0, 16)]) {
        const { verdict, body } = await ask(asker, method, `${beforeId}${reference}${afterId}`, bodyOf(name, asker))
        compare(`${object} by ${reference} over REST`, verdict, expected, body)
      }
      const document = await ask(asker, 'POST', '/', { action: name, id, ...bodyOf(name, asker) })
      compare(`${object} as a document`, document.verdict, expected, document.body)
      const key = { 'idempotency-key': `${asker} ${name} ${object}`.replaceAll(' ', '-') }
      for (const time of ['first', 'again']) {
        const { verdict, body } = await ask(asker, 'POST', '/', { action: name, id, ...bodyOf(name, asker) }, key)
        compare(`${object} ${time} under a key`, verdict, expected, body)
      }
    }
    await Promise.all(objects.map(askAll))
    expect(wrong).toEqual([])
  })

  test.each(callRoutes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', async (_, route) => {
    const { name, method, path, query = '', upgrades } = route
    const askAll = async (object: ObjectKind, n: number): Promise<void> => {
      const expected = expectOn(name, asker, object)
      const { id, name: called } = api.container(asker, object)
      const shorter = n % 2 === 0 ? called : id.slice(0, 16)
      for (const reference of [id, shorter]) {
        const at = `${path.replace(':id', reference)}${query}`
        const { verdict, body } = upgrades
          ? await askByWebSocket(asker, at)
          : await ask(asker, method, at, method === 'POST' ? bodyOf(name, asker) : undefined)
        compare(`${object} by ${reference}`, verdict, expected, body)
      }
    }
    await Promise.all(objects.map(askAll))
    expect(wrong).toEqual([])
  })

  test.each(others.map(({ name }) => [name]))('%s', async (name) => {
    const expected = expectOther(name, asker)
    const { method, path } = actions.get(name) ?? { method: '', path: '' }
    const { hostname = 'dock-1', ...fields } = bodyOf(name, asker) as { hostname?: string }
    const isRouted = path.includes(':hostname')
    const route = path.replace(':hostname', hostname).replace(':image', 'busybox')
    const body = isRouted || name.startsWith('create') ? fields : { ...fields, hostname }
    const rest = await ask(asker, method, route, path.includes(':image') ? {} : body)
    compare('over REST', rest.verdict, expected, rest.body)
    const document = await ask(asker, 'POST', '/', { action: name, ...bodyOf(name, asker) })
    compare('as a document', document.verdict, expected, document.body)
    expect(wrong).toEqual([])
  })

  test.each(Object.entries(routesElse))('%s', async (route, { roles, path, body }) => {
    const [method = '', pattern = ''] = route.split(' ')
    const role = roleOf[asker]
    const { verdict, body: answer } = await ask(asker, method, path ?? pattern, body)
    const isKnown = roles === 'public' || (role !== undefined && roles.includes(role))
    const expected = isKnown ? 'through' : role === undefined ? 401 : 403
    const got = verdict === 401 || verdict === 403 ? verdict : 'through'
    expect({ got, answer: got === expected ? '' : answer }).toEqual({ got: expected, answer: '' })
  })

  test.each(objects)('jobs about what is %s to him, when polled, listed, cancelled or tried again', async (object) => {
    const role = roleOf[asker]
    const isSeen = role === 'admin' || (object === 'own' && role !== undefined && role !== 'auditor')
    const refused = role === undefined ? 401 : role === 'auditor' ? 403 : 404
    const expected = isSeen ? 'allowed' : refused
    const records = await Promise.all(onContainers.map(({ name }) => api.accept(name, asker, object)))
    for (const { id, action } of records) {
      const shown = await ask(asker, 'GET', `/v1/jobs/${id}`)
      compare(`${action} polled`, shown.verdict, expected, shown.body)
      const followed = await Events.open(`${api.url()}/v1/jobs/${id}/events`, api.headersOf(asker))
      cases++
      compare(`${action} followed`, verdictOf(asker, followed.response.status), expected, 'events')
      followed.leave()
      for (const what of isSeen ? [] : ['cancel', 'retry']) {
        const { verdict, body } = await ask(asker, 'POST', `/v1/jobs/${id}/${what}`)
        compare(`${action} ${what}`, verdict, expected, body)
      }
    }
    const { body } = await ask(asker, 'GET', '/v1/jobs?limit=100')
    const listed = new Set(((body as { items?: { id: string }[] }).items ?? []).map(({ id }) => id))
    expect(records.map(({ id }) => listed.has(id))).toEqual(records.map(() => isSeen))
    expect(wrong).toEqual([])
  })
})

test('every route is in the matrix', () => {
  const calls = callRoutes.map(({ method, path }) => `${method} ${path}`)
  const known = new Set([
    ...Object.keys(routesElse),
    'POST /',
    ...[...actions.values()].map((one) => one.http),
    ...calls,
  ])
  const polled = ['GET /v1/jobs/:id', 'GET /v1/jobs/:id/events', 'POST /v1/jobs/:id/cancel', 'POST /v1/jobs/:id/retry']
  const missing = api.routes().filter((route) => !known.has(route) && !polled.includes(route))
  expect(missing).toEqual([])
})

test('what is foreign is answered as what is missing, byte for byte', async () => {
  for (const { name, method, path } of onContainers) {
    const told = async (object: ObjectKind) => {
      const { id } = api.container('foreign owner', object)
      const { status, headers, body } = await ask(
        'foreign owner',
        method,
        path.replace(':id', id),
        bodyOf(name, 'foreign owner'),
      )
      const kept = [...headers].filter(([header]) => !['date', 'etag', 'x-request-id'].includes(header))
      return JSON.stringify([status, kept, body]).replaceAll(id, 'ID')
    }
    const missing = await told('missing')
    expect(missing).toContain('container_not_found')
    for (const object of ['foreign', 'unowned'] as const) expect(await told(object)).toBe(missing)
  }
})

test('a key that somebody else has used gives nothing of his', async () => {
  const key = { 'idempotency-key': 'shared' }
  const { id } = api.container('owner', 'own')
  const his = await ask('owner', 'POST', '/', { action: 'stop-container', id }, key)
  const foreign = await ask('foreign owner', 'POST', '/', { action: 'stop-container', id }, key)
  expect([his.status, foreign.status]).toEqual([202, 404])
  expect(JSON.stringify(foreign.body)).not.toContain((his.body as { job: JobRecord }).job.id)
})

test('a list has what is his, and nothing else', async () => {
  for (const asker of ['owner', 'team member', 'foreign owner', 'admin'] as const) {
    const { body } = await ask(asker, 'GET', '/v1/containers?limit=1000')
    const names = (body as { items: { name: string }[] }).items.map(({ name }) => name)
    const foreign = api.container(asker, 'foreign').name
    expect(names).toContain(api.container(asker, 'own').name)
    expect(names.includes(foreign)).toBe(asker === 'admin')
    expect(names.includes(api.container(asker, 'unowned').name)).toBe(asker === 'admin')
  }
})

test('there are at least 4,000 cases', () => {
  expect(cases).toBeGreaterThan(4_000)
})
