import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { canonicalJson } from './canonical-json'

/** The same value with the fields of all its objects in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, entry]) => [key, shuffled(entry)] as const)
      .toReversed(),
  )
}

const json = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)

test('does not depend on the order of fields, however deep', () => {
  fc.assert(fc.property(json, (value) => expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value))))
})

test('keeps the value', () => {
  fc.assert(fc.property(json, (value) => expect(JSON.parse(canonicalJson(value))).toEqual(value)))
})

test('differs where the values differ', () => {
  fc.assert(
    fc.property(json, json, (one, other) => {
      const same = canonicalJson(one) === canonicalJson(other)
      expect(same).toBe(isDeepStrictEqual(one, other))
    }),
  )
})

test.each([
  [
    { a: 1, b: [1, 2] },
    { b: [2, 1], a: 1 },
  ],
  [{ a: '1' }, { a: 1 }],
  [{ a: null }, {}],
  [{ a: {} }, { a: [] }],
])('%j and %j are two requests', (one, other) => expect(canonicalJson(one)).not.toBe(canonicalJson(other)))
