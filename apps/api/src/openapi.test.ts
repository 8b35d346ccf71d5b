import { actions } from '@deblox/actions/registry'
import { errorTable } from '@deblox/actions/errors'
import type { Fleet } from '@deblox/fleet/fleet'
import Joi from 'joi'
import { openApiOf } from './openapi'
import { pathFields, type Route } from './route'
import { allRoutes, type Counter } from './routes'

interface Parameter {
  name: string
  in: string
  required: boolean
}
interface Operation {
  operationId: string
  parameters: Parameter[]
  requestBody?: { content: { 'application/json'?: { schema: { properties: object; oneOf?: { title: string }[] } } } }
  responses: Record<string, { description: string }>
}

const nowhere = {} as Fleet
const metrics: Route = {
  method: 'GET',
  path: '/metrics',
  tag: 'health',
  summary: 'Figures',
  request: Joi.object({}),
  answers: { 200: 'Figures' },
  handle: async () => ({ status: 200 }),
}
const routes = allRoutes({ fleet: nowhere, audit: {} } as Counter, metrics)
const described = routes.filter(({ tag }) => tag !== 'description')
const { paths } = openApiOf(described) as { paths: Record<string, Record<string, Operation>> }

const operationOf = ({ method, path }: Route): Operation =>
  paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()] as Operation

test('no method of a path stands there twice', () => {
  const all = routes.map(({ method, path }) => `${method} ${path}`)
  expect(new Set(all).size).toBe(all.length)
})

test('what is served as the description is this document', async () => {
  const served = await routes.find(({ path }) => path === '/openapi.json')?.handle({}, {} as never)
  expect(served?.body).toEqual(openApiOf(described))
  expect(JSON.parse(JSON.stringify(served?.body))).toEqual(served?.body)
})

test.each(described.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s is described',
  (_, route) => {
    const { parameters, responses, requestBody } = operationOf(route)
    const inPath = parameters.filter((parameter) => parameter.in === 'path')
    expect(inPath.map(({ name }) => name).sort()).toEqual(pathFields(route.path).sort())
    expect(inPath.every(({ required }) => required)).toBe(true)
    expect(Object.keys(responses)).toEqual([...Object.keys(route.answers), 'default'])
    expect(Object.keys(route.answers)).not.toEqual([])
    const takesBody = ['POST', 'PUT', 'PATCH'].includes(route.method)
    expect(requestBody !== undefined).toBe(takesBody)
    // A field has one place: what is in the path is in neither query nor body.
    const elsewhere = parameters.filter((one) => one.in === 'query').map(({ name }) => name)
    const inBody = Object.keys(requestBody?.content['application/json']?.schema.properties ?? {})
    expect([...elsewhere, ...inBody].filter((name) => pathFields(route.path).includes(name))).toEqual([])
  },
)

test('every operation has an id of its own', () => {
  const ids = described.map((route) => operationOf(route).operationId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.every((operationId) => /^[a-zA-Z0-9]+$/.test(operationId))).toBe(true)
})

test('every action has its route, and its document under POST /', () => {
  expect(
    described.filter(({ path, method }) => [...actions.values()].some((a) => a.path === path && a.method === method)),
  ).toHaveLength(actions.size)
  const documents = paths['/']?.['post']?.requestBody?.content['application/json']?.schema.oneOf
  expect(documents?.map(({ title }) => title)).toEqual([...actions.keys()])
})

test('routes that may answer 202 say which headers govern that, and no others do', () => {
  for (const route of described) {
    const headers = operationOf(route).parameters.filter((parameter) => parameter.in === 'header')
    expect(headers.map(({ name }) => name)).toEqual(202 in route.answers ? ['Prefer', 'Idempotency-Key'] : [])
  }
})

test('a problem’s codes are those of the table', () => {
  const { components } = openApiOf([]) as { components: { schemas: { Problem: { properties: { code: object } } } } }
  expect(components.schemas.Problem.properties.code).toEqual({ enum: Object.keys(errorTable) })
})
