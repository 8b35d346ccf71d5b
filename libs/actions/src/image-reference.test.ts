import * as fc from 'fast-check'
import { validate } from './explain'
import { image, isImageId, pullableImage, withTag } from './image-reference'

const hex = 'a'.repeat(64)
const digest = `sha256:${hex}`

// What a real engine said of each in POST /containers/create: 404, so it is a reference, or 400.
test.each([
  'ubuntu',
  'ubuntu:24.04',
  'library/ubuntu',
  'a.b/c',
  'a__b/c-d--e',
  'localhost/x',
  'localhost:5000/x:1',
  '127.0.0.1:5000/team/app:v1.0-rc_1',
  'registry.example.com/a/b/c',
  `ubuntu@${digest}`,
  `ubuntu:24.04@${digest}`,
  `ubuntu@sha512:${'b'.repeat(128)}`,
  'host:5000',
  digest,
  hex,
])('takes %s, as Docker does', (reference) => {
  expect(validate(image, reference)).toBe(reference)
})

test.each([
  ' ubuntu',
  'Ubuntu',
  'ubuntu:',
  'ubuntu:-x',
  `ubuntu:${'t'.repeat(129)}`,
  'ubuntu@',
  'ubuntu@sha256:abc',
  '/ubuntu',
  'ubuntu/',
  'a//b',
  'a..b',
  'a..b/c',
  'a___b',
  '-a',
  'a-',
  'a.b./c',
  'x/../../info',
  'json?all=1#',
  'http://registry/x',
  'ubuntu\n',
])('refuses %j, as Docker does', (reference) => {
  expect(() => validate(image, reference)).toThrow('expected an image reference such as ubuntu:24.04, or an image id')
})

test.each([hex, digest])('takes the id %s for no name that could be pulled', (id) => {
  expect(isImageId(id)).toBe(true)
  expect(() => validate(pullableImage, id)).toThrow('and no id, which cannot be pulled')
})

test.each([
  ['ubuntu', 'ubuntu:latest'],
  ['ubuntu:24.04', 'ubuntu:24.04'],
  ['localhost:5000/x', 'localhost:5000/x:latest'],
  ['localhost:5000/x:1', 'localhost:5000/x:1'],
  ['localhost:5000/team/x', 'localhost:5000/team/x:latest'],
  [`localhost:5000/x@${digest}`, `localhost:5000/x@${digest}`],
  [`ubuntu:24.04@${digest}`, `ubuntu:24.04@${digest}`],
])('pulls one image and not all tags: %s is %s', (reference, tagged) => {
  expect(withTag(reference)).toBe(tagged)
})

const word = fc.stringMatching(/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+){0,2}$/)
const host = fc.stringMatching(/^[a-z0-9]{1,5}\.[a-z]{2,3}(?::\d{1,5})?$/)
const tag = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,9}$/)
const reference = fc
  .tuple(fc.option(host, { nil: '' }), fc.array(word, { minLength: 1, maxLength: 3 }), fc.option(tag), fc.boolean())
  .map(([at, path, version, pinned]) => ({
    text: `${at && `${at}/`}${path.join('/')}${version === null ? '' : `:${version}`}${pinned ? `@${digest}` : ''}`,
    exact: version !== null || pinned,
  }))
  .filter(({ text }) => !isImageId(text))

test('takes what the grammar of references makes, and adds a tag exactly where nothing says which image', () => {
  fc.assert(
    fc.property(reference, ({ text, exact }) => {
      expect(validate(pullableImage, text)).toBe(text)
      expect(withTag(text)).toBe(exact ? text : `${text}:latest`)
      expect(validate(pullableImage, withTag(text))).toBe(withTag(text))
    }),
  )
})

test('holds nothing that would be another path or query of the daemon', () => {
  const soup = fc.stringMatching(/^[ab0./:@?#%_\-A ]{0,20}$/)
  fc.assert(
    fc.property(soup, (text) => {
      if (image.validate(text).error) return
      expect(new URL(`http://docker/images/${text}/json`).pathname).toBe(`/images/${text}/json`)
    }),
    { numRuns: 2000 },
  )
})
