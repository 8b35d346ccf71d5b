import express, { type RequestHandler } from 'express'
import request from 'supertest'
import { DebloxError } from '@deblox/actions/errors'
import { edges } from './edges'
import { pagePolicy } from './security-headers'

const served = (handler: RequestHandler, ofAddress: (address: string) => Promise<void> = async () => {}) => {
  const app = express()
  app.use(edges({ rates: { ofAddress }, addressOf: () => '192.0.2.1' }))
  app.get('/', handler)
  return app
}

const answer: RequestHandler = (_request, response) => void response.json({})

test('an answer may load nothing, be framed by nobody, and be kept by nobody', async () => {
  const { headers } = await request(served(answer)).get('/')
  expect(headers).toMatchObject({
    'content-security-policy': "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  })
})

test('no page of another origin reads it', async () => {
  for (const method of ['get', 'options'] as const) {
    const asked = request(served(answer))[method]('/').set('Origin', 'https://evil.example')
    const { headers } = await asked.set('Access-Control-Request-Method', 'PUT')
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  }
})

test('a page’s own policy stands in its place, and never alone', async () => {
  const policy = pagePolicy({ 'script-src': ["'self'"], 'base-uri': ["'self'"] })
  const page: RequestHandler = (asked, response) => policy(asked, response, () => response.send(''))
  const { headers } = await request(served(page)).get('/')
  expect(headers['content-security-policy']).toBe(
    "default-src 'none';base-uri 'self';form-action 'none';frame-ancestors 'none';script-src 'self'",
  )
})

test('it tells the request’s id', async () => {
  expect((await request(served(answer)).get('/').set('X-Request-Id', 'mine')).headers['x-request-id']).toBe('mine')
  expect((await request(served(answer)).get('/')).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
})

test('too much from one address reaches no route', async () => {
  const asked: string[] = []
  const app = served(
    () => asked.push('route'),
    async (address) => {
      asked.push(address)
      throw new DebloxError('too_many_requests', 'too many')
    },
  )
  expect((await request(app).get('/')).status).toBe(429)
  expect(asked).toEqual(['192.0.2.1'])
})
