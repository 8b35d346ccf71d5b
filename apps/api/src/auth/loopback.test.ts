import { hostOf, isLoopback, isSafeUrl } from './loopback'

test.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.255.255.255', '::1', '[::1]'])('%s is this machine', (host) => {
  expect(isLoopback(host)).toBe(true)
})

test.each([
  '',
  '0.0.0.0',
  '::',
  '127.0.0.256',
  '127.1',
  '1270.0.0.1',
  '128.0.0.1',
  '::2',
  'localhost.',
  'my.localhost',
  'localhost.evil.test',
  '127.0.0.1.evil.test',
  '::ffff:10.0.0.1',
])('%s is not, or may not be', (host) => expect(isLoopback(host)).toBe(false))

test.each([
  ['localhost:8080', 'localhost'],
  ['127.0.0.1', '127.0.0.1'],
  ['[::1]:80', '[::1]'],
  ['a@b', undefined],
  ['a:b', undefined],
  ['::1', undefined],
  ['a/b', undefined],
  ['', undefined],
])('the host of %j is %j', (header, host) => expect(hostOf(header)).toBe(host))

test.each([
  ['https://id.example.com', true],
  ['http://127.0.0.1:9000', true],
  ['http://[::1]:9000', true],
  ['http://localhost', true],
  ['http://id.example.com', false],
  ['http://localhost.evil.test', false],
  ['file:///etc/passwd', false],
  ['data:,x', false],
])('whether %s is safe on its way: %j', (url, safe) => expect(isSafeUrl(new URL(url))).toBe(safe))
