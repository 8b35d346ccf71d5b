import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { createSecretKey } from 'node:crypto'
import { sessionsOf } from '@deblox/fleet/sessions'
import { newToken } from '@deblox/fleet/token-text'
import { tokensOf } from '@deblox/fleet/tokens'
import Joi from 'joi'
import { pino } from 'pino'
import request from 'supertest'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { createApp } from '../app'
import type { Route } from '../route'
import { openGate } from '../testing/open-gate'
import { authenticateBy } from './authenticate'
import { throttleOf } from './throttle'

const use = useFleet()
const key = createSecretKey(Buffer.alloc(32, 1))
const done: string[] = []

const route = (method: Route['method'], path: string): Route => ({
  method,
  path,
  permission: 'GET /v1/docks',
  tag: 'test',
  summary: '',
  request: Joi.object({ name: Joi.string() }),
  answers: { 200: '' },
  handle: async () => {
    done.push(path)
    return { status: 200 }
  },
})

function app() {
  const { redis, keys } = use.fleet()
  const know = authenticateBy({
    auth: 'on',
    tokens: tokensOf(redis, keys, [key]),
    sessions: sessionsOf(redis, keys, [key]),
    throttle: throttleOf(redis, keys.failedLogins, 1_000),
  })
  return createApp({
    routes: [route('POST', '/things'), route('GET', '/things')],
    pages: [{ path: '/jobs', handler: () => void done.push('/jobs') }],
    edges: [],
    gate: { ...openGate, know },
    onDecided() {},
    log: pino({ level: 'silent' }),
  })
}

beforeEach(() => {
  done.length = 0
})

describe('CVE-2026-23944: nothing is done for somebody who is not known', () => {
  const strangers: [string, Record<string, string>][] = [
    ['who says nothing', {}],
    ['with an unknown token', { Authorization: `Bearer ${newToken().token}` }],
    ['with an empty credential', { Authorization: '' }],
    ['with a cookie that is none', { Cookie: '__Host-deblox=x', 'Sec-Fetch-Site': 'same-origin' }],
    ['who says where he comes from', { 'X-Forwarded-For': '127.0.0.1', 'X-Real-IP': '127.0.0.1' }],
    ['who says who he is', { 'X-Forwarded-User': 'root', 'X-Remote-User': 'root', From: 'root' }],
    ['who asks for another path by a header', { 'X-Original-URL': '/healthz', 'X-Rewrite-URL': '/healthz' }],
    ['who asks for another method by a header', { 'X-HTTP-Method-Override': 'OPTIONS' }],
  ]

  test.each(strangers)('%s', async (_, headers) => {
    for (const [method, path] of [
      ['get', '/things'],
      ['head', '/things'],
      ['post', '/things'],
      ['get', '/jobs'],
      ['post', '/jobs/api/queues/x/clean'],
      ['get', '/jobs/../things'],
      ['get', '/THINGS'],
      ['get', '/things/'],
    ] as const) {
      const { status, headers: told } = await request(app())[method](path).set(headers)
      expect([path, status, told['www-authenticate']]).toEqual([path, 401, 'Bearer realm="deblox"'])
    }
    expect(done).toEqual([])
  })

  test('his body is not even read: he is refused before he has sent it', async () => {
    const server: Server = createServer(app()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{"na')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 401 /)
    socket.destroy()
    server.close()
    expect(done).toEqual([])
  })

  test('his request is not judged by what is in it: a wrong body is told as unauthenticated, too', async () => {
    for (const body of ['{', '{"unknown":1}', 'x'.repeat(2_000_000)]) {
      const response = await request(app()).post('/things').send(body)
      expect(response.status).toBe(401)
    }
  })

  test('nothing is written for him but that his credential failed', async () => {
    const { redis, prefix, keys } = use.fleet()
    for (const [, headers] of strangers) await request(app()).post('/things').set(headers).send('{}')
    const written = (await redis.keys(`${prefix}:*`)).filter((name) => !name.startsWith(keys.failedLogins))
    expect(written).toEqual([])
  })
})
