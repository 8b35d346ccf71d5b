import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { DebloxError } from '@deblox/actions/errors'
import { parseJson } from './safe-json'

const refused = (body: string | Buffer): DebloxError => {
  try {
    parseJson(body)
  } catch (error) {
    if (error instanceof DebloxError) return error
    throw error
  }
  throw new Error('expected the body to be refused')
}
const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

test('returns the object in a body', () => {
  const text = String.raw`{"action": "start-container", "list": [1, {"a": "\"{[,:"}, {"a": 2}], "ü": null}`
  expect(parseJson(text)).toEqual(JSON.parse(text))
  expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text))
})

test.each([
  ['', 'nothing'],
  [' \n', 'nothing'],
  ['null', 'null'],
  ['[{}]', 'a list'],
  ['"{}"', '"{}"'],
  ['5', '5'],
  ['{', 'text that is not JSON'],
  ['action=create-container', 'text that is not JSON'],
])('refuses %j, which holds %s', (text, got) => {
  const error = refused(text)
  expect(error).toMatchObject({ code: 'malformed_json', status: 400 })
  expect(error.message).toContain(`body: expected a JSON object; got ${got}`)
})

test('refuses bytes that are not UTF-8', () => {
  expect(refused(Buffer.from([0x7b, 0xff, 0x7d])).message).toBe(
    'body: expected a JSON object; got bytes that are not UTF-8',
  )
})

test('takes 32 levels of nesting and refuses 33, saying so', () => {
  expect(parseJson(`{"a":${lists(31)}}`)).toBeDefined()
  expect(refused(`{"a":${lists(32)}}`)).toMatchObject({
    code: 'malformed_json',
    message: expect.stringMatching(/^body: expected at most 32 levels of objects and lists; got more, at "a\[0\]/),
  })
})

test.each([
  ['one megabyte of open lists', '['.repeat(2 ** 20)],
  ['one megabyte of open objects', '{"a":'.repeat(2 ** 17)],
  ['one megabyte of lists that are closed', `{"a":${lists(2 ** 19)}}`],
])('survives %s', (_, text) => {
  expect(refused(text)).toMatchObject({ code: 'malformed_json' })
})

test.each([
  ['{"__proto__": {"admin": true}}', '__proto__'],
  ['{"a": [1, {"b": {"constructor": 1}}]}', 'a[1].b.constructor'],
  ['{"a": {"prototype": 1}}', 'a.prototype'],
  [String.raw`{"\u005f_proto__": 1}`, '__proto__'],
])('refuses %s and names %s', (text, field) => {
  const error = refused(text)
  expect(error).toMatchObject({ code: 'invalid_request', message: `${field}: expected no field of that name; got one` })
  expect(error.details).toMatchObject({ fields: [{ field }] })
})

test('takes the same words as values', () => {
  expect(parseJson('{"a": "__proto__", "b": ["constructor"]}')).toEqual({ a: '__proto__', b: ['constructor'] })
})

test.each([
  ['{"a": 1, "b": {"a": 2}, "a": 3}', 'a'],
  [String.raw`{"x": [{"a": 1, "\u0061": 2}]}`, 'x[0].a'],
])('refuses %s, where another reader would take the other %s', (text, field) => {
  expect(refused(text)).toMatchObject({
    code: 'invalid_request',
    message: `${field}: expected each field once; got it twice`,
  })
})

const dangerous = new Set(['__proto__', 'constructor', 'prototype'])
const key = fc
  .oneof(fc.string(), fc.constantFrom('"', '\\', '{', ',', ':', 'a"b', '\u2028'))
  .filter((name) => !dangerous.has(name))
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 8 },
    fc.oneof(fc.string(), fc.double({ noDefaultInfinity: true, noNaN: true }), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
}))

test('reads every harmless object as JSON.parse does, however it is spaced', () => {
  fc.assert(
    fc.property(fc.dictionary(key, anyValue), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      const text = JSON.stringify(value, null, space)
      expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text))
    }),
  )
})

test('refuses every other body with an error of its own, never another', () => {
  const soup = fc
    .array(fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', 'a', '1', ' '))
    .map((parts) => parts.join(''))
  const bytes = fc.uint8Array().map((array) => Buffer.from(array))
  fc.assert(
    fc.property(fc.oneof(soup, bytes), (body) => {
      const outcome = outcomeOf(body)
      expect(outcome instanceof DebloxError || isDeepStrictEqual(outcome, JSON.parse(body.toString()))).toBe(true)
    }),
  )
})

/** What comes of a body: the object in it, or what is thrown. */
function outcomeOf(body: string | Buffer): unknown {
  try {
    return parseJson(body)
  } catch (error) {
    return error
  }
}
