import * as fc from 'fast-check'
import { validate } from './explain'
import { ports, publish } from './ports'

const number = fc.integer({ min: 1, max: 65_535 })
const protocol = fc.constantFrom('tcp', 'udp', 'sctp')
const address = fc.oneof(
  fc.ipV4().map((ip) => [ip, ip] as const),
  fc.ipV6().map((ip) => [`[${ip}]`, ip] as const),
)

test('publishes every form of docker run -p as Docker’s own client does', () => {
  fc.assert(
    fc.property(address, number, number, protocol, ([written, ip], host, container, proto) => {
      const key = `${container}/${proto}`
      const forms = [
        [`${container}/${proto}`, { HostIp: '', HostPort: '' }],
        [`${host}:${container}/${proto}`, { HostIp: '', HostPort: `${host}` }],
        [`${written}:${host}:${container}/${proto}`, { HostIp: ip, HostPort: `${host}` }],
        [`${written}::${container}/${proto}`, { HostIp: ip, HostPort: '' }],
      ] as const
      for (const [text, binding] of forms) {
        expect(validate(ports, [text])).toEqual([text])
        expect(publish([text])).toEqual({ exposed: { [key]: {} }, bindings: { [key]: [binding] } })
      }
    }),
  )
})

test('takes tcp where no protocol is named, and one port on several addresses', () => {
  expect(publish(['80:80', '127.0.0.1:81:80', '53:53/UDP'])).toEqual({
    exposed: { '80/tcp': {}, '53/udp': {} },
    bindings: {
      '80/tcp': [
        { HostIp: '', HostPort: '80' },
        { HostIp: '127.0.0.1', HostPort: '81' },
      ],
      '53/udp': [{ HostIp: '', HostPort: '53' }],
    },
  })
})

// What Docker's own client said of each with `docker create -p`.
test.each(['80', ':80', '0:80', '080:80', '80/TCP', '127.0.0.1::80', '[::1]:80:80', '1.2.3.4:80:80/udp'])(
  'takes %j, as Docker does',
  (text) => {
    expect(validate(ports, [text])).toEqual([text])
  },
)

test.each([
  '',
  '80:',
  ' 80',
  '-1',
  'a:80',
  '80/foo',
  '100000',
  '65536:80',
  '80:65536',
  '127.0.0.1:80',
  '1.2.3:80:80',
  '999.1.1.1:80:80',
  '01.2.3.4:1:2',
  '[zz]:80:80',
  '[1:2]:80:80',
])('refuses %j, as Docker does', (text) => {
  expect(() => validate(ports, [text])).toThrow(/: expected a port as docker run -p takes it/)
})

test.each(['80:0', '8000-8001:80-81', '::1:80:80'])(
  'refuses %j, which Docker takes for something less plain',
  (text) => {
    expect(() => validate(ports, [text])).toThrow(/: expected a port as docker run -p takes it/)
  },
)
