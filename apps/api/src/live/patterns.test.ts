import fc from 'fast-check'
import { likeness } from './patterns'

test.each([
  ['web', 'my-web-1', true],
  ['web', 'my-we-b', false],
  ['web*', 'my-web', false],
  ['web*', 'web', true],
  ['*web', 'my-web', true],
  ['w?b', 'web', true],
  ['w?b', 'wb', false],
  ['w?b', 'weeb', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['*', '', true],
  ['?', '', false],
  ['a.c*', 'abc', false],
  ['[ab]*', '[ab]c', true],
  ['$(x)', 'a$(x)', true],
])('%s is like %s: %s', (pattern, text, is) => {
  expect(likeness(pattern)(text)).toBe(is)
})

test('says what the same pattern says as a regular expression', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, letters, (pattern, text) => {
      const isPattern = /[*?]/.test(pattern)
      const expression = pattern.replaceAll('*', '.*').replaceAll('?', '.')
      expect(likeness(pattern)(text)).toBe(new RegExp(isPattern ? `^${expression}$` : expression).test(text))
    }),
    { numRuns: 2_000 },
  )
})

test('a pattern made to take long does not', () => {
  const began = performance.now()
  expect(likeness(`${'*a'.repeat(100)}*b`)('a'.repeat(5_000))).toBe(false)
  expect(performance.now() - began).toBeLessThan(500)
})
