import { addressesBehind, networkOf, requestIdOf } from './origin'

const request = (remoteAddress: string | undefined, headers: Record<string, string | string[]> = {}) =>
  ({ socket: { remoteAddress }, headers }) as unknown as Parameters<ReturnType<typeof addressesBehind>>[0]

const forwarded = (remoteAddress: string, list: string) => request(remoteAddress, { 'x-forwarded-for': list })

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  [undefined, 'unknown'],
])('a connection from %s is from %s', (remote, address) => {
  expect(addressesBehind()(request(remote))).toBe(address)
})

test('without a trusted proxy nobody is believed who says where he comes from', () => {
  expect(addressesBehind()(forwarded('192.0.2.1', '203.0.113.9'))).toBe('192.0.2.1')
  expect(addressesBehind('10.0.0.0/8')(forwarded('192.0.2.1', '203.0.113.9'))).toBe('192.0.2.1')
})

const behind = addressesBehind('10.0.0.0/8, 192.0.2.7,fd00::/8')

test.each([
  ['the last one, who spoke to the proxy', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
  ['not what the caller has made up before', '10.1.2.3', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
  ['through all trusted proxies', '10.1.2.3', '203.0.113.9, 192.0.2.7, fd00::1', '203.0.113.9'],
  ['no further than a stranger', '10.1.2.3', '1.1.1.1, 198.51.100.1, 192.0.2.7', '198.51.100.1'],
  ['the proxy where it tells nothing', '10.1.2.3', '', '10.1.2.3'],
  ['the proxy where it tells rubbish', '10.1.2.3', '1.1.1.1, <script>', '10.1.2.3'],
  ['through a proxy on a socket of IPv6', '::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
])('behind a trusted proxy it is %s', (_, remote, list, address) => {
  expect(behind(forwarded(remote, list))).toBe(address)
})

test.each(['yes', '10.0.0.0/33', '10.0.0.0/', '1', '2001:db8::/129', 'localhost'])('%s is no proxy', (value) => {
  expect(() => addressesBehind(value)).toThrow(/^expected addresses and networks of proxies/)
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['unknown', 'unknown'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('a plain request id of the caller is kept', () => {
  expect(requestIdOf(request('192.0.2.1', { 'x-request-id': 'ab-12.c:d_e' }))).toBe('ab-12.c:d_e')
})

test.each(['', 'a b', 'a\nb', 'x'.repeat(65), '{"a":1}', 'ä'])('%j is replaced by one of ours', (id) => {
  const asked = request('192.0.2.1', { 'x-request-id': id })
  expect(requestIdOf(asked)).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)
  expect(requestIdOf(asked)).toBe(requestIdOf(asked))
})
