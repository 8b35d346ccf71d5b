import { actions } from '@deblox/actions/registry'
import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { startProgram, type RunningProcess } from '../support/processes'
import { create } from './containers'

interface Operation {
  operationId: string
  summary: string
  parameters: { name: string; in: string; required?: boolean; schema: object }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { description: string }>
}

interface Schema {
  properties?: Record<string, object>
  required?: string[]
  oneOf?: Schema[]
  title?: string
}

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet({ docks: 2 })
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

describe('/openapi.json', () => {
  let document: { openapi: string; info: object; paths: Record<string, Record<string, Operation>>; components: object }

  beforeAll(async () => {
    document = (await get('/openapi.json')).body
  })

  test('is an OpenAPI 3.1 document, whole in itself', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/)
    expect(document.info).toMatchObject({ title: 'Deblox', version: expect.stringMatching(/^\d+\.\d+\.\d+/) })
    for (const [, reference = ''] of JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)) {
      expect(reference.slice(0, 2)).toBe('#/')
      const target = reference
        .slice(2)
        .split('/')
        .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], document)
      expect(target).toBeInstanceOf(Object)
    }
  })

  test('has an operation with a name of its own for every route, with each parameter of its path', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    )
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, method, operation } of operations) {
      expect(['get', 'put', 'post', 'delete', 'patch']).toContain(method)
      expect(operation).toMatchObject({ summary: expect.any(String), responses: expect.any(Object) })
      const named = operation.parameters.filter((parameter) => parameter.in === 'path')
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
      expect(named.map(({ name }) => name).sort()).toEqual(inPath.sort())
      expect(named.every(({ required }) => required)).toBe(true)
      for (const { schema } of operation.parameters) expect(schema).toBeInstanceOf(Object)
      for (const [status, answer] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^(101|[2-5]\d\d|default)$/)
        expect(answer.description).not.toBe('')
      }
    }
  })

  test('has a route and a document for every action, with all of its fields', () => {
    const { schema } = document.paths['/']?.['post']?.requestBody?.content['application/json'] ?? {}
    for (const { name, method, path, request } of actions.values()) {
      const fields = Object.keys((request.describe() as { keys?: object }).keys ?? {})
      const operation = document.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
      const body = operation?.requestBody?.content['application/json']?.schema.properties ?? {}
      const shown = [
        ...(operation?.parameters ?? []).filter((parameter) => parameter.in !== 'header').map(({ name }) => name),
        ...Object.keys(body),
      ]
      expect({ name, shown: shown.sort() }).toEqual({ name, shown: [...fields].sort() })
      const ofDocument = schema?.oneOf?.find(({ title }) => title === name)
      expect(Object.keys(ofDocument?.properties ?? {}).sort()).toEqual(['action', ...fields].sort())
      expect(ofDocument?.required).toContain('action')
    }
  })
})

test('/docs is a page whose every file loads from here, and / leads to it', async () => {
  const home = await get('/')
  expect({ status: home.status, location: home.headers.get('location') }).toEqual({ status: 302, location: '/docs' })
  const { status, headers, body } = await get('/docs')
  expect({ status, type: headers.get('content-type') }).toEqual({ status: 200, type: 'text/html; charset=utf-8' })
  const files = [...(body as string).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file)
  expect(files.length).toBeGreaterThan(2)
  for (const file of files) {
    const url = new URL(file, `${fleet.api.url}/docs`)
    expect(url.origin).toBe(fleet.api.url)
    expect((await get(url.pathname)).status).toBe(200)
  }
})

test('/metrics counts jobs by action and outcome, times them, and shows the topics and the docks', async () => {
  const { id } = await create(fleet, { name: 'counted' })
  await create(fleet, { name: 'counted-too' })
  await fleet.request(fleet.api, 'POST', `/v1/containers/${id}/pause`)

  const figures = await eventually(
    metrics,
    (seen) => seen['deblox_jobs_total{action="pause-container",outcome="failed"}'] === 1,
  )
  expect(figures).toMatchObject({
    'deblox_jobs_total{action="create-container",outcome="completed"}': 2,
    'deblox_job_duration_seconds_count{action="create-container"}': 2,
    'deblox_queue_depth{topic="deblox.docker",state="waiting"}': 0,
    'deblox_queue_depth{topic="deblox.docker.dock1",state="active"}': 0,
    'deblox_docks{state="ready"}': 2,
    'deblox_docks{state="unreachable"}': 0,
  })
  const sum = figures['deblox_job_duration_seconds_sum{action="create-container"}'] ?? 0
  expect(sum).toBeGreaterThan(0.001)
  expect(sum).toBeLessThan(20)
})

test('/metrics shows a job that waits, and a dock whose worker has gone', async () => {
  await fleet.dock('dock2').worker.stop()
  const later = { Prefer: 'respond-async' }
  await fleet.request(fleet.api, 'POST', '/v1/docks/dock2/images', { image: 'busybox' }, later)

  expect(await metrics()).toMatchObject({
    'deblox_queue_depth{topic="deblox.docker.dock2",state="waiting"}': 1,
    'deblox_docks{state="ready"}': 1,
    'deblox_docks{state="unreachable"}': 1,
  })
  fleet.dock('dock2').launch()
  await fleet.docksReady()
})

describe('/jobs', () => {
  let worker: RunningProcess | undefined

  afterAll(() => worker?.stop())

  test('is a page whose every file loads', async () => {
    const { status, body } = await get('/jobs')
    expect(status).toBe(200)
    const files = [...(body as string).matchAll(/(?:src|href)="([^"]+\.(?:js|css|svg|ico))"/g)]
    expect(files.length).toBeGreaterThan(0)
    const [, base = '/jobs/'] = /<base href="([^"]+)"/.exec(body as string) ?? []
    for (const [, file = ''] of files) {
      const url = new URL(file, new URL(base, fleet.api.url))
      expect(url.origin).toBe(fleet.api.url)
      expect((await get(url.pathname)).status).toBe(200)
    }
  })

  test('shows the cluster’s topic and every dock’s, and a new dock’s without a restart', async () => {
    expect(await topics()).toEqual(['deblox.docker', 'deblox.docker.dock1', 'deblox.docker.dock2'])

    const { env, engine } = fleet.dock('dock1')
    worker = startProgram('worker', { ...env, DOCKER_HOST: engine.dockerHost, DOCK_HOSTNAME: 'dock3' })
    await eventually(async () => (await topics()).includes('deblox.docker.dock3'), undefined, {
      what: 'dock3 is shown',
    })
    await fleet.request(fleet.api, 'DELETE', '/v1/docks/dock3')
    await eventually(async () => !(await topics()).includes('deblox.docker.dock3'), undefined, {
      what: 'dock3 is gone',
    })
  }, 20_000)

  test('changes nothing: it has no way to retry or remove a job', async () => {
    for (const [method, path] of [
      ['PUT', 'pause'],
      ['PUT', 'empty'],
      ['PUT', 'obliterate'],
      ['POST', 'add'],
    ] as const) {
      const { status } = await fleet.request(fleet.api, method, `/jobs/api/queues/deblox.docker/${path}`, {})
      expect(status).toBe(405)
    }
  })
})

const get = (path: string) => fleet.request(fleet.api, 'GET', path)

/** Figures by name and labels, as Prometheus reads them. */
async function metrics(): Promise<Record<string, number>> {
  const { status, headers, body } = await get('/metrics')
  expect({ status, type: headers.get('content-type') }).toMatchObject({
    status: 200,
    type: expect.stringMatching(/^text\/plain/),
  })
  const lines = (body as string).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

async function topics(): Promise<string[]> {
  const { status, body } = await get('/jobs/api/queues')
  expect(status).toBe(200)
  return (body.queues as { name: string }[]).map(({ name }) => name).sort()
}
