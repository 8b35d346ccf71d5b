import { localPath } from './return-to'

const own = new URL('https://deblox.example.com')

test.each(['/', '/docs', '/containers?q=a%20b&x=1#top', '/a//b', '/a:b@c', '/@evil.test'])('%s is ours', (path) => {
  expect(localPath(path, own)).toBe(path)
})

test.each([
  undefined,
  ['/a', '/b'],
  '',
  'docs',
  '//evil.test',
  '//evil.test/docs',
  '///evil.test',
  '/\\evil.test',
  '\\/evil.test',
  '/a\\b',
  '/\t/evil.test',
  '/\n/evil.test',
  ' //evil.test',
  'https://evil.test',
  'https:evil.test',
  'javascript:alert(1)',
  '/\u2028',
  `/${'a'.repeat(2_000)}`,
])('%j is not', (path) => expect(localPath(path, own)).toBe('/'))

test('what leads out of the path is not followed out of it', () => {
  expect(localPath('/..//evil.test', own)).toBe('/')
  expect(localPath('/.//evil.test', own)).toBe('/')
  expect(localPath('/../../docs', own)).toBe('/docs')
})
