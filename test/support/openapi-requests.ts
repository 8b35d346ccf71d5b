import type { Chance } from './chance'

/** What is read of the OpenAPI document. */
export interface Described {
  paths: Record<string, Record<string, Operation>>
}

interface Operation {
  parameters?: { name: string; in: string; schema: Field }[]
  requestBody?: { content: Record<string, { schema: Field }> }
}

/** JSON Schema, as far as requests are made up from it. */
interface Field {
  type?: string | string[]
  enum?: unknown[]
  pattern?: string
  minimum?: number
  maximum?: number
  maxLength?: number
  properties?: Record<string, Field>
  required?: string[]
  items?: Field
  anyOf?: Field[]
  oneOf?: Field[]
}

/** A request as it is sent. */
export interface Request {
  method: string
  path: string
  headers: Record<string, string>
  body: string | Buffer | undefined
}

const uuid = '01900000-0000-7000-8000-000000000000'
const fullId = 'a'.repeat(64)

/** Right values, by the name of a field: patterns alone do not say what they mean. */
const right: Record<string, readonly unknown[]> = {
  action: ['list-images', 'register', 'create-container', 'start-container', 'unregister'],
  hostname: ['dock1', 'a.example.com', 'nowhere', 'a'.repeat(63)],
  dock: ['dock1', 'nowhere'],
  id: [fullId, uuid, 'web', 'abcd', '0000'],
  name: ['web', 'tiny', 'a1'],
  image: ['busybox', 'ubuntu:24.04', `sha256:${fullId}`],
  cursor: [uuid, 'WyJhIl0', 'WyJhIiwiYiIsImMiXQ'],
  limit: [1, 10],
  template: ['tiny', 'nowhere'],
  instances: [1, 2, 3],
  cmd: ['sleep 1', ['sleep', '1']],
  env: [{ A: 'b' }, ['A=b']],
  labels: [{ a: 'b' }, {}],
  memory: ['64m', 1024],
  ports: [['8080:80'], []],
  mounts: [[{ target: '/data' }]],
  body: [{ Image: 'busybox' }],
  restart: ['no', 'on-failure:3'],
  cpus: [0.5, 1],
  timeout: [0, 3600],
  label: ['a', 'a=b'],
  since: ['10m', '2026-11-23T07:30:00Z'],
  tail: ['all', 5],
  path: ['/tmp'],
  signal: ['SIGTERM', '9'],
}

const huge = 'a'.repeat(20_000)

/** Text that somebody somewhere takes for more than text. */
const oddText: readonly string[] = [
  '',
  ' ',
  '\u0000',
  `${'a'.repeat(3_000)}\u0000`,
  '\ud800',
  'ä\u202e\u0000💣',
  '../../etc/passwd',
  'json?all=1#',
  'x/../../info',
  '%00',
  '%2e%2e%2f',
  '__proto__',
  'constructor',
  'toString',
  '$(id)',
  "' or 1=1 --",
  '{{7*7}}',
  '-rf',
  '1e999',
  'NaN',
  'null',
  '[]',
  'a\r\nX-Odd: b',
  ' '.repeat(5_000),
  '-'.repeat(5_000),
  'a.'.repeat(5_000),
  huge,
]

const deep = JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`) as unknown
const oddValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.1,
  1e21,
  -1e308,
  2 ** 53,
  [],
  {},
  [null],
  [[]],
  { toString: 'x' },
  { length: 5 },
  deep,
  Array.from({ length: 2_000 }, () => 'x'),
]

/** Text in place of a body. */
const oddBodies: readonly string[] = [
  '',
  'null',
  '[]',
  '"x"',
  '5',
  '{',
  '{"a":1,"a":2}',
  '{"__proto__":{"action":"list-images"}}',
  '{"constructor":{"prototype":{}}}',
  '{"a":'.repeat(3_000),
  'action=list-images',
  '\ufeff{}',
  '{"\\u0000":1}',
]

const oddHeaders: Record<string, readonly string[]> = {
  'idempotency-key': ['', ' ', 'a', 'a b', 'ä', huge.slice(0, 300), '__proto__', 'key-1', 'key-2'],
  'content-type': ['', 'x', 'text/plain', 'application/json; charset=utf-7', 'multipart/form-data', '*/*'],
  'content-encoding': ['gzip', 'deflate', 'br', 'identity', 'zip', 'gzip, gzip', ''],
  accept: ['text/html', 'application/xml', 'nonsense', '', '*/*;q=0'],
  'accept-encoding': ['zip', '*;q=0', ''],
  'if-none-match': ['*', '"x"'],
  range: ['bytes=0-1', 'nonsense'],
  'x-http-method-override': ['DELETE'],
  'x-forwarded-host': ['evil.example'],
  authorization: ['Basic x', 'Bearer', 'nonsense'],
  cookie: ['a=b; __proto__=c'],
  origin: ['null', 'http://evil.example'],
}

/** Nobody waits for what nobody takes: there is no worker. */
const unhurried = [
  'respond-async',
  'RESPOND-ASYNC',
  'respond-async, wait=5',
  'wait=x, respond-async',
  'a=b;c, respond-async',
]

const oddPaths = ['%00', '%2F', '%2e%2e', 'a%2Fb', '%E0%A4%A', '%', 'é', '..', ';', '*', '%0d%0a', '__proto__']

/** Makes up requests from what the document says of each route: right, nearly right, and wrong. */
export function requestsFrom(document: Described, chance: Chance): () => Request {
  const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  return () => {
    const { path, method, operation } = chance.one(routes)
    const parameters = operation.parameters ?? []
    const inPath = path.replace(/\{(\w+)\}/g, (_, name: string) => pathPart(name, chance))
    const query = parameters.filter((parameter) => parameter.in === 'query' && chance.happens(0.6))
    const pairs = query.map(({ name, schema }) => `${name}=${encode(valueFor(name, schema, chance))}`)
    if (chance.happens(0.1))
      pairs.push(chance.one(['__proto__=1', 'a[b]=c', '=', 'limit=1&limit=2', '%', 'x='.repeat(500)]))
    const schema = Object.values(operation.requestBody?.content ?? {})[0]?.schema
    const body = schema || chance.happens(0.05) ? bodyFrom(schema ?? {}, chance) : undefined
    return {
      method: chance.happens(0.03) ? chance.one(['PUT', 'PATCH', 'OPTIONS', 'HEAD', 'DELETE', 'TRACE']) : method,
      path: pairs.length > 0 ? `${inPath}?${pairs.join('&')}` : inPath,
      headers: headersOf(chance),
      body,
    }
  }
}

function pathPart(name: string, chance: Chance): string {
  if (chance.happens(0.15)) return chance.one(oddPaths)
  return chance.happens(0.6) ? encode(chance.one(right[name] ?? ['a'])) : encode(chance.one(oddText)).slice(0, 6_000)
}

function encode(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  // A half of a surrogate pair cannot be encoded.
  return encodeURIComponent(Buffer.from(text).toString()).slice(0, 6_000)
}

function bodyFrom(schema: Field, chance: Chance): string | Buffer {
  if (chance.happens(0.08)) return chance.one(oddBodies)
  if (chance.happens(0.01)) return Buffer.from([0xff, 0x7b, 0x7d])
  const text = JSON.stringify(objectFrom(schema.oneOf ? chance.one(schema.oneOf) : schema, chance))
  return chance.happens(0.03) ? text.slice(0, chance.below(text.length)) : text
}

function objectFrom({ properties = {}, required = [] }: Field, chance: Chance): Record<string, unknown> {
  const wanted = Object.entries(properties).filter(([name]) => chance.happens(required.includes(name) ? 0.95 : 0.2))
  const fields = wanted.map(([name, field]): [string, unknown] => [name, valueFor(name, field, chance)])
  if (chance.happens(0.1)) fields.push([chance.one(oddText).slice(0, 100), 1])
  return Object.fromEntries(fields)
}

function valueFor(name: string, field: Field, chance: Chance): unknown {
  if (chance.happens(0.15)) return chance.one(oddValues)
  if (chance.happens(0.15)) return chance.one(oddText)
  if (field.enum && chance.happens(0.9)) return chance.one(field.enum)
  if (chance.happens(0.1)) return boundary(field, chance)
  return chance.one(right[name] ?? [true, 'a', 1])
}

function boundary({ minimum = 0, maximum = 10, maxLength = 64 }: Field, chance: Chance): unknown {
  return chance.one([minimum, minimum - 1, maximum + 1, 'a'.repeat(maxLength), 'a'.repeat(maxLength + 1)])
}

function headersOf(chance: Chance): Record<string, string> {
  const headers: Record<string, string> = { prefer: chance.one(unhurried), 'content-type': 'application/json' }
  for (const [name, values] of Object.entries(oddHeaders)) {
    if (chance.happens(0.06)) headers[name] = chance.one(values)
  }
  return headers
}
