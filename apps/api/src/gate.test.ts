import type { Identity } from '@deblox/actions/access/identity'
import type { Role } from '@deblox/actions/access/policies'
import Joi from 'joi'
import { pino } from 'pino'
import request from 'supertest'
import { type AppDeps, createApp } from './app'
import type { Decided, Known } from './gate'
import type { Answer, Caller, Route } from './route'
import { openGate } from './testing/open-gate'

let asked: Caller | undefined
let answer: () => Promise<Answer>
let known: Known | undefined
const told: Decided[] = []

const route = (method: Route['method'], path: string): Route => ({
  method,
  path,
  permission: 'GET /v1/docks',
  tag: 'test',
  summary: '',
  request: Joi.object({}),
  answers: { 200: '' },
  handle: (_fields, caller) => {
    asked = caller
    return answer()
  },
})

const deps: AppDeps = {
  routes: [route('GET', '/things'), route('POST', '/things')],
  pages: [
    { path: '/docs', handler: (_request, response) => void response.send('a page') },
    { path: '/jobs', handler: (_request, response) => void response.send('jobs') },
  ],
  edges: [],
  gate: { ...openGate, know: async () => known },
  onDecided: (decided) => void told.push(decided),
  log: pino({ level: 'silent' }),
}
const app = createApp(deps)
const anna: Known = { identity: { subject: 'anna', teams: [], role: 'admin' }, via: 'token', tokenId: 't' }

beforeEach(() => {
  asked = undefined
  known = anna
  told.length = 0
  answer = async () => ({ status: 200, body: { ok: true } })
})

describe('who may', () => {
  const as = (role: Role, more: Partial<Identity> = {}): Known => ({
    identity: { subject: 'ben', teams: [], role, ...more },
    via: 'token',
  })

  test('is asked before anything else: nobody knows what he sent', async () => {
    known = undefined
    const response = await request(app).post('/things').send('not even JSON').expect(401)
    expect(response.body).toMatchObject({ code: 'unauthenticated' })
    expect(asked).toBeUndefined()
    expect(told).toMatchObject([{ permission: 'GET /v1/docks', status: 401, code: 'unauthenticated' }])
  })

  test('of a page goes by its own entry', async () => {
    known = undefined
    const get = async (path: string) => (await request(app).get(path)).status
    expect([await get('/docs'), await get('/jobs/api/queues')]).toEqual([200, 401])
    known = as('deployer')
    expect(await get('/jobs')).toBe(403)
    known = as('auditor')
    expect(await get('/jobs')).toBe(200)
  })

  test('is told to the audit, with what came of it', async () => {
    answer = async () => {
      Object.assign(asked?.about ?? {}, { object: 'abc', dock: 'dock-1' })
      return { status: 202 }
    }
    await request(app).get('/things').expect(202)
    const about = { object: 'abc', dock: 'dock-1', address: '127.0.0.1', requestId: 'request-1' }
    expect(told).toEqual([{ permission: 'GET /v1/docks', status: 202, known: anna, ...about }])
  })

  test('is told to the audit as a denial where a dock refused, by a code that is not sent', async () => {
    answer = async () => ({ status: 403, code: 'dock_policy', body: {} })
    const response = await request(app).get('/things').expect(403)
    expect(told).toMatchObject([{ status: 403, code: 'dock_policy' }])
    expect(response.body).toEqual({})
  })

  test('a token that is limited to something else may not', async () => {
    known = as('admin', { scopes: ['list-images'] })
    const response = await request(app).get('/things').expect(403)
    expect(response.body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('list-images') })
    expect(asked).toBeUndefined()
  })

  test.each([
    ['a route', { routes: [{ ...route('GET', '/v1/secrets'), permission: undefined }] }],
    ['a page', { pages: [{ path: '/secrets', handler: () => undefined }] }],
  ])('nothing is served for %s without an entry', (_, more) => {
    expect(() => createApp({ ...deps, ...more })).toThrow(/expected an entry for GET .*secrets/)
  })
})
