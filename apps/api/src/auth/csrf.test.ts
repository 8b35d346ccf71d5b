import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { refuseCrossSite, refuseRemotePages } from './csrf'

const request = (headers: IncomingHttpHeaders, method = 'POST') => ({ method, headers }) as IncomingMessage
const own = 'https://deblox.example.com'
const refused = expect.objectContaining({ code: 'csrf_refused', status: 403 })

describe('a request with the cookie of a login', () => {
  test.each<[string, IncomingHttpHeaders]>([
    ['from our own page', { 'sec-fetch-site': 'same-origin' }],
    ['from nowhere: typed, or a bookmark', { 'sec-fetch-site': 'none' }],
    ['from our own origin', { origin: own }],
    ['from our own origin, however it is written', { origin: 'https://DEBLOX.example.com' }],
  ])('%s passes', (_, headers) => expect(() => refuseCrossSite(request(headers), own)).not.toThrow())

  test.each<[string, IncomingHttpHeaders]>([
    ['from another site', { 'sec-fetch-site': 'cross-site' }],
    ['from another site that says it were ours', { 'sec-fetch-site': 'cross-site', origin: own }],
    ['from a neighbouring host', { 'sec-fetch-site': 'same-site', origin: 'https://other.example.com' }],
    ['from another origin', { origin: 'https://evil.test' }],
    ['from an origin that begins like ours', { origin: `${own}.evil.test` }],
    ['from ours without TLS', { origin: 'http://deblox.example.com' }],
    ['from a hidden origin', { origin: 'null' }],
    ['from who knows where', {}],
    ['with an odd value', { 'sec-fetch-site': 'same-origin, cross-site' }],
  ])('%s is refused', (_, headers) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'BREW']) {
      expect(() => refuseCrossSite(request(headers, method), own)).toThrow(refused)
    }
    expect(() => refuseCrossSite(request({ ...headers, upgrade: 'websocket' }, 'GET'), own)).toThrow(refused)
  })

  test('that only reads passes from anywhere: nobody else is shown what it reads', () => {
    for (const method of ['GET', 'HEAD']) {
      expect(() => refuseCrossSite(request({ 'sec-fetch-site': 'cross-site' }, method), own)).not.toThrow()
    }
  })

  test('has no origin of its own where the API does not know its own', () => {
    expect(() => refuseCrossSite(request({ origin: own }), undefined)).toThrow(refused)
  })
})

describe('without identities, a request', () => {
  test.each(['localhost', 'localhost:8080', '127.0.0.1:8080', '127.1.2.3', '[::1]:8080', 'LOCALHOST'])(
    'to %s passes, from a program and from our own page',
    (host) => {
      for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { origin: `http://${host}` }]) {
        expect(() => refuseRemotePages(request({ host, ...headers }))).not.toThrow()
      }
    },
  )

  test.each([
    'evil.test',
    'evil.test:8080',
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    '127.0.0.1@evil.test',
    'evil.test/localhost',
    '0.0.0.0:8080',
    '[::]:8080',
    '192.168.0.1',
    '',
  ])('to %s is refused, whatever it wants: its name may have been made to lead here', (host) => {
    for (const method of ['GET', 'POST']) expect(() => refuseRemotePages(request({ host }, method))).toThrow(refused)
  })

  test.each<[string, IncomingHttpHeaders]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port of this machine', { 'sec-fetch-site': 'same-site', origin: 'http://localhost:3000' }],
    ['another port, in an old browser', { origin: 'http://localhost:3000' }],
    ['a hidden origin', { origin: 'null' }],
  ])('from a page of %s changes nothing', (_, headers) => {
    const host = 'localhost:8080'
    expect(() => refuseRemotePages(request({ host, ...headers }))).toThrow(refused)
    expect(() => refuseRemotePages(request({ host, ...headers, upgrade: 'websocket' }, 'GET'))).toThrow(refused)
    expect(() => refuseRemotePages(request({ host, ...headers }, 'GET'))).not.toThrow()
  })
})
