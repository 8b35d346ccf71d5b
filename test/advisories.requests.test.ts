import dns from 'node:dns'
import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import { useGuardedApi } from './support/guarded-api'
import { requestsTo } from './support/registry-requests'

/** What an API can be made to do by somebody who is not known. */

const api = useGuardedApi()
const registry = requestsTo(api)

describe('CVE-2026-40242: whoever came made the server send requests to where he liked', () => {
  const dialled: string[] = []
  const reallyConnect = Reflect.get(Socket.prototype, 'connect') as (...args: unknown[]) => Socket
  const own = () => new URL(api.url()).port

  beforeEach(() => {
    dialled.length = 0
    jest.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket, ...args: unknown[]) {
      const told = JSON.stringify(args, (_, value: unknown) => (typeof value === 'function' ? undefined : value))
      // The test's own request.
      if (!told.includes(own())) dialled.push(told)
      return Reflect.apply(reallyConnect, this, args)
    })
    const lookUp = dns.lookup
    const spied = (host: string, ...rest: unknown[]) => {
      dialled.push(`lookup ${host}`)
      return Reflect.apply(lookUp, dns, [host, ...rest]) as unknown
    }
    jest.spyOn(dns, 'lookup').mockImplementation(spied)
  })
  afterEach(() => jest.restoreAllMocks())

  const elsewhere = '127.0.0.1:9'
  const urls = [
    `http://${elsewhere}/x`,
    'http://169.254.169.254/latest/meta-data',
    `${elsewhere}/x`,
    'file:///etc/passwd',
  ]
  const [jwt] = [{ alg: 'RS256', jku: urls[0], x5u: urls[0], kid: urls[0] }].map((header) =>
    [header, { iss: urls[0], sub: 'root' }, {}]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.'),
  )
  const strangers: [string, Record<string, string>][] = [
    ['who says nothing', {}],
    ['with a token that is none', { authorization: 'Bearer dbx_0000000000000000_x' }],
    ['with a JWT that names its own keys', { authorization: `Bearer ${jwt}` }],
    ['with a cookie', { cookie: '__Host-deblox=x' }],
    ['who names other hosts', { 'x-forwarded-host': elsewhere, 'x-forwarded-for': elsewhere, origin: urls[0] ?? '' }],
  ]

  test.each(strangers)(
    'nothing goes out for somebody %s',
    async (_, headers) => {
      for (const { method, path, fields } of registry.served()) {
        for (const url of urls) {
          const values = Object.fromEntries(fields.map((field) => [field, encodeURIComponent(url)]))
          const body = { action: 'pull-image', hostname: 'dock-1', image: url, url, fromImage: url, webhook: url }
          await registry.raw(method, registry.fill(path, values), headers, JSON.stringify(body))
          const query = `?image=${encodeURIComponent(url)}`
          await registry.raw(method, registry.fill(path, values) + query, headers, JSON.stringify({ image: url }))
        }
      }
      expect(dialled).toEqual([])
    },
    30_000,
  )

  test('what goes out is seen', async () => {
    const socket = connect(9, '127.0.0.1')
    await once(socket, 'error')
    dns.lookup('localhost', () => {})
    expect(dialled).toEqual([expect.stringContaining('"port":9'), 'lookup localhost'])
  })
})
