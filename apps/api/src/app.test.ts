import { createServer, request as httpRequest, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { DebloxError } from '@deblox/actions/errors'
import { flag } from '@deblox/actions/schemas'
import Joi from 'joi'
import { pino } from 'pino'
import request from 'supertest'
import { createApp } from './app'
import { securityHeaders } from './edges/security-headers'
import type { Answer, Caller, Route } from './route'
import { openGate } from './testing/open-gate'

const logged: string[] = []
const log = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) })

let asked: { fields: Record<string, unknown>; caller: Caller } | undefined
let answer: () => Promise<Answer>

const route = (method: Route['method'], path: string, fields: Joi.SchemaMap): Route => ({
  method,
  path,
  permission: 'GET /v1/docks',
  tag: 'test',
  summary: '',
  request: Joi.object(fields),
  answers: { 200: '' },
  handle: (given, caller) => {
    asked = { fields: given, caller }
    return answer()
  },
})

const routes = [
  route('POST', '/things', { name: Joi.string(), count: Joi.number(), deep: Joi.any() }),
  route('GET', '/things', { count: Joi.number(), flag, name: Joi.string() }),
  route('GET', '/things/:id', { id: Joi.string().max(20).required() }),
  route('DELETE', '/things/:id', { id: Joi.string().required(), flag }),
]
const app = createApp({
  routes,
  pages: [],
  edges: securityHeaders,
  gate: openGate,
  onDecided: () => undefined,
  log,
})

beforeEach(() => {
  asked = undefined
  logged.length = 0
  answer = async () => ({ status: 200, body: { ok: true } })
})

const post = (body: string | Buffer, type = 'application/json') =>
  request(app).post('/things').set('Content-Type', type).send(body)

describe('a body', () => {
  test.each(['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'image/png'])(
    'is read as JSON although it calls itself %s',
    async (type) => {
      await post('{"name":"web"}', type).expect(200, { ok: true })
      expect(asked?.fields).toEqual({ name: 'web' })
    },
  )

  test('that is left out has no fields', async () => {
    await request(app).post('/things').expect(200)
    expect(asked?.fields).toEqual({})
  })

  test.each([
    ['is not JSON', 'name=web', 400, 'malformed_json'],
    ['is no object', '[1]', 400, 'malformed_json'],
    ['is cut short', '{"name":', 400, 'malformed_json'],
    ['nests too deeply', `{"deep":${'['.repeat(40)}${']'.repeat(40)}}`, 400, 'malformed_json'],
    ['reaches for a prototype', '{"__proto__":{"a":1}}', 400, 'invalid_request'],
    ['has a field twice', '{"name":"a","name":"b"}', 400, 'invalid_request'],
    ['has an unknown field', '{"nam":"web"}', 400, 'invalid_request'],
    ['has text for a number', '{"count":"3"}', 400, 'invalid_request'],
    ['is larger than 1 MB', JSON.stringify({ name: 'a'.repeat(1 << 20) }), 413, 'body_too_large'],
  ])('that %s is refused, and nothing is done', async (_, body, status, code) => {
    const response = await post(body).expect(status)
    expect(response.type).toBe('application/problem+json')
    expect(response.body).toMatchObject({ status, code, detail: expect.stringMatching(/expected .*got /) })
    expect(asked).toBeUndefined()
  })

  test('that is not text is refused', async () => {
    const response = await post(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'text/plain').expect(400)
    expect(response.body).toMatchObject({ code: 'malformed_json' })
  })

  test('of a request whose fields belong in the query is refused', async () => {
    const response = await request(app).get('/things').send('{"count":3}').expect(400)
    expect(response.body).toMatchObject({ detail: 'count: expected it in the query, got it in the body' })
  })
})

describe('a query', () => {
  test('has text that stands for numbers and truths', async () => {
    await request(app).get('/things?count=3&flag=1').expect(200)
    expect(asked?.fields).toEqual({ count: 3, flag: true })
    await request(app).delete('/things/a?flag=false').expect(200)
    expect(asked?.fields).toEqual({ id: 'a', flag: false })
  })

  test.each(['count=three', 'count=1&count=2', 'nam=a', 'flag=maybe', '__proto__=1', 'name[a]=b'])(
    '%s is refused',
    async (query) => {
      const response = await request(app).get(`/things?${query}`).expect(400)
      expect(response.body).toMatchObject({ code: 'invalid_request' })
      expect(asked).toBeUndefined()
    },
  )

  test('of a request whose fields belong in the body is refused', async () => {
    const response = await request(app).post('/things?name=web').expect(400)
    expect(response.body).toMatchObject({ detail: 'name: expected it in the JSON body, got it in the query' })
  })
})

describe('a path', () => {
  test('gives its fields, decoded', async () => {
    await request(app).get('/things/a%2Fb').expect(200)
    expect(asked?.fields).toEqual({ id: 'a/b' })
  })

  test('field may not stand elsewhere as well', async () => {
    await request(app).delete('/things/a?id=b').expect(400)
    expect(asked).toBeUndefined()
  })

  test.each([
    ['/nothing', 404, 'route_not_found'],
    ['/things/%ff', 400, 'invalid_request'],
    [`/things/${'a'.repeat(10_000)}`, 400, 'invalid_request'],
    [`/${'b'.repeat(10_000)}`, 404, 'route_not_found'],
  ])('%.20s… is refused with %i, in few words', async (path, status, code) => {
    const response = await request(app).get(path).expect(status)
    expect(response.body).toMatchObject({ code })
    expect(JSON.stringify(response.body).length).toBeLessThan(700)
  })

  test('that does not take a method says which it does take', async () => {
    for (const method of ['put', 'patch', 'delete', 'options'] as const) {
      const response = await request(app)[method]('/things').expect(405)
      expect(response.headers['allow']).toBe('POST, GET')
      expect(response.body).toMatchObject({ code: 'method_not_allowed' })
    }
  })

  test('that takes GET takes HEAD, without a body', async () => {
    const response = await request(app).head('/things').expect(200)
    expect(response.text).toBeUndefined()
  })
})

describe('an answer', () => {
  test('without a body has none', async () => {
    answer = async () => ({ status: 204 })
    const response = await request(app).get('/things').expect(204)
    expect(response.text).toBe('')
  })

  test('of text is sent as it is, with its own headers', async () => {
    answer = async () => ({ status: 200, body: 'a 1\n', headers: { 'Content-Type': 'text/plain; version=0.0.4' } })
    const response = await request(app).get('/things').expect(200, 'a 1\n')
    expect(response.headers['content-type']).toContain('version=0.0.4')
  })

  test('tells nobody what it is made with, and is not to be guessed at', async () => {
    const { headers } = await request(app).get('/things')
    expect(headers).not.toHaveProperty('x-powered-by')
    expect(headers).toHaveProperty('x-content-type-options', 'nosniff')
  })

  test('says which preference was honoured', async () => {
    const response = await request(app).get('/things').set('Prefer', 'wait=999')
    expect(response.headers['preference-applied']).toBe('wait=300')
    expect(asked?.caller.prefer.waitMs).toBe(300_000)
  })
})

describe('a failure', () => {
  test('that was foreseen is told as a problem, and not logged', async () => {
    answer = () => Promise.reject(new DebloxError('redis_unavailable', 'expected Redis to answer, got nothing'))
    const response = await request(app).get('/things').expect(503)
    expect(response.headers['retry-after']).toBe('1')
    expect(response.body).toMatchObject({ code: 'redis_unavailable' })
    expect(logged).toEqual([])
  })

  test.each([
    ['rejects', () => Promise.reject(new Error('secret of the inside'))],
    [
      'throws',
      () => {
        throw new TypeError('secret of the inside')
      },
    ],
  ])(
    'that nobody foresaw, where a handler %s, is told without its words or stack, and logged with them',
    async (_, fail) => {
      answer = fail
      const response = await request(app).get('/things').expect(500)
      expect(response.body).toMatchObject({ code: 'internal' })
      expect(response.text).not.toMatch(/secret|\.ts|\bat .*:\d/)
      expect(logged.join('')).toContain('secret of the inside')
    },
  )
})

test.each(['', 'with blank', 'größe', 'a'.repeat(256)])('the Idempotency-Key %p is refused', async (key) => {
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bytes = Buffer.from(key).toString('latin1')
  await expect(statusOf(server, { 'Idempotency-Key': bytes })).resolves.toBe(400)
  server.close()
  expect(asked).toBeUndefined()
})

test('a handler learns that its caller has gone', async () => {
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const gone = new Promise<void>((resolve) => {
    answer = () => {
      asked?.caller.gone.addEventListener('abort', () => resolve())
      sent.destroy()
      return new Promise(() => {})
    }
  })
  const sent = httpRequest({ port: (server.address() as AddressInfo).port, path: '/things' })
  sent.on('error', () => {}).end()
  await expect(gone).resolves.toBeUndefined()
  server.close()
})

function statusOf(server: Server, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo
    const asking = httpRequest({ port, path: '/things', headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    asking.on('error', reject).end()
  })
}
