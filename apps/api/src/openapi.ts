import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorTable } from '@deblox/actions/errors'
import { actions } from '@deblox/actions/registry'
import type Joi from 'joi'
import { problemType } from './errors'
import { pathFields, type Route, hasFieldsInBody } from './route'

type JsonSchema = Record<string, unknown> & { properties?: Record<string, JsonSchema>; required?: string[] }

const { version } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')) as { version: string }

/** The OpenAPI 3.1 document of these routes, from the schemas that validate their requests. */
export function openApiOf(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Deblox',
      version,
      description: 'Controls containers on Docker hosts that you already own.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas: { Problem: problemSchema } },
  }
}

function operationOf(route: Route): object {
  const schema = route.path === '/' ? documentSchema() : jsonSchema(route.request)
  const inPath = new Set(pathFields(route.path))
  const { path, rest } = partition(schema, inPath)
  const hasBody = hasFieldsInBody(route)
  const query = hasBody ? [] : parametersOf(rest, 'query')
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    parameters: [...parametersOf(path, 'path'), ...query, ...headersOf(route)],
    ...(hasBody ? { requestBody: { content: { 'application/json': { schema: rest } } } } : {}),
    ...(route.raw && route.method !== 'GET' ? { requestBody: { content: { 'application/x-tar': {} } } } : {}),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, description]) => [status, { description }])),
      default: {
        description: 'A problem',
        content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  }
}

const operationId = ({ method, path }: Route): string =>
  `${method.toLowerCase()}${path.replace(/[^a-zA-Z]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`

/** Each action's document: its own name and fields. */
function documentSchema(): JsonSchema {
  const documents = [...actions.values()].map((action) => {
    const schema = jsonSchema(action.request)
    return {
      ...schema,
      title: action.name,
      description: action.summary,
      properties: { action: { enum: [action.name, ...action.aliases] }, ...schema.properties },
      required: ['action', ...(schema.required ?? [])],
    }
  })
  return { type: 'object', oneOf: documents }
}

function partition(schema: JsonSchema, inPath: ReadonlySet<string>): { path: JsonSchema; rest: JsonSchema } {
  const entries = Object.entries(schema.properties ?? {})
  const required = schema.required ?? []
  const part = (isPath: boolean): JsonSchema => ({
    ...schema,
    properties: Object.fromEntries(entries.filter(([name]) => inPath.has(name) === isPath)),
    required: required.filter((name) => inPath.has(name) === isPath),
  })
  return { path: part(true), rest: schema.properties ? part(false) : schema }
}

function parametersOf(schema: JsonSchema, place: 'path' | 'query'): object[] {
  return Object.entries(schema.properties ?? {}).map(([name, { description, ...of }]) => ({
    name,
    in: place,
    required: place === 'path' || (schema.required ?? []).includes(name),
    ...(description === undefined ? {} : { description }),
    schema: of,
  }))
}

/** Routes that may answer 202 take the headers that govern jobs. */
function headersOf(route: Route): object[] {
  if (!(202 in route.answers)) return []
  const header = (name: string, description: string) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  })
  return [
    header('Prefer', '`wait=SECONDS` (30 by default, 300 at most) or `respond-async`'),
    header('Idempotency-Key', 'The same key and request within 24 hours give the same job'),
  ]
}

function jsonSchema(schema: Joi.Schema): JsonSchema {
  const standard = schema['~standard'] as unknown as { jsonSchema: { input(options: object): JsonSchema } }
  return standard.jsonSchema.input({ target: 'draft-2020-12' })
}

const problemSchema = {
  type: 'object',
  description: 'A problem reply (RFC 9457). `detail` says what was expected and what arrived.',
  required: ['title', 'status', 'code', 'detail'],
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { enum: Object.keys(errorTable) },
    detail: { type: 'string' },
  },
}
