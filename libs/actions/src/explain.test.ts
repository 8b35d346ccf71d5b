import Joi from 'joi'
import { DebloxError } from './errors'
import { preview, validate, type ValidateOptions } from './explain'
import { expected } from './messages'

const schema = Joi.object({
  id: Joi.string()
    .pattern(/^[a-z]+$/)
    .messages(expected('lower-case letters'))
    .required(),
  count: Joi.number().integer().min(1),
  flag: Joi.boolean(),
  kind: Joi.string().valid('red', 'blue'),
  inner: Joi.array().items(Joi.object({ target: Joi.string() })),
})

/** What is wrong with the value, in the words of the caller. */
function complaint(of: Joi.Schema, value: unknown, options?: ValidateOptions): DebloxError {
  try {
    validate(of, value, options)
  } catch (error) {
    if (error instanceof DebloxError) return error
    throw error
  }
  throw new Error('expected the value to be refused')
}

test('returns a value that is as expected', () => {
  expect(validate(schema, { id: 'abc', count: 2 })).toEqual({ id: 'abc', count: 2 })
})

test('names the field, what was expected and what arrived', () => {
  const error = complaint(schema, { id: 'json?all=1#' })
  expect(error).toMatchObject({ code: 'invalid_request', status: 400 })
  expect(error.message).toBe('id: expected lower-case letters; got "json?all=1#"')
  expect(error.details).toEqual({ fields: [{ field: 'id', expected: 'lower-case letters', got: '"json?all=1#"' }] })
})

test('names every field that is wrong, each once', () => {
  expect(complaint(schema, { count: 0.5, kind: 'green' }).message).toBe(
    'id: expected lower-case letters; got nothing; ' +
      'count: expected a whole number and 1 or more; got 0.5; ' +
      'kind: expected one of red, blue; got "green"',
  )
})

test.each([
  [{ id: 'a', colour: 1 }, 'colour: expected one of the fields id, count, flag, kind, inner; got "colour"'],
  [{ id: 'a', inner: [{}, { x: 1 }] }, 'inner[1].x: expected one of the fields target; got "x"'],
  [{ id: 'a', inner: [{ target: null }] }, 'inner[0].target: expected a string; got null'],
  [{ id: 'a', inner: {} }, 'inner: expected a list; got an object'],
  [{ id: 'a', count: true }, 'count: expected a number; got true'],
  [{ id: 'a', flag: 'true' }, 'flag: expected true or false; got "true"'],
  [{ id: 'a', 'odd "name"\n': 1 }, String.raw`"odd \"name\"\n": expected one of the fields`],
  [[], 'request: expected an object; got a list'],
  [undefined, 'request: expected a value; got nothing'],
])('says of %j: %s', (value, message) => {
  expect(complaint(schema, value).message).toContain(message)
})

test('says which fields would do where at least one is wanted', () => {
  const either = Joi.object({ a: Joi.any(), b: Joi.any() }).or('a', 'b')
  expect(complaint(either, {}).message).toBe('a or b: expected at least one of them; got nothing')
})

test('says which field is missing beside another', () => {
  const both = Joi.object({ size: Joi.object({ cols: Joi.any(), rows: Joi.any() }).and('cols', 'rows') })
  expect(complaint(both, { size: { cols: 1 } }).message).toBe('size.rows: expected it beside cols; got nothing')
})

test('calls the value itself as the caller calls it', () => {
  expect(complaint(schema, 5, { root: 'query' }).message).toBe('query: expected an object; got 5')
})

test('takes strings for numbers and booleans only where asked, as in a query', () => {
  const query = { id: 'a', count: '2', flag: 'true' }
  expect(validate(schema, query, { convert: true })).toEqual({ id: 'a', count: 2, flag: true })
  expect(complaint(schema, query).details['fields']).toHaveLength(2)
})

test('shows no pattern of a schema that forgot to say what it expects', () => {
  const silent = Joi.object({ id: Joi.string().pattern(/^secret-pattern$/) })
  expect(complaint(silent, { id: 'x' }).message).toBe('id: expected another value; got "x"')
})

test('shows the first ones of very many wrong fields', () => {
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`field${index}`, 1]))
  expect(complaint(schema, { id: 'a', ...many }).details['fields']).toHaveLength(20)
})

test.each([
  ['a'.repeat(60), `"${'a'.repeat(60)}"`],
  ['a'.repeat(10_240), `"${'a'.repeat(60)}…" (10240 characters)`],
  [{ password: 'hunter2' }, 'an object'],
  [['hunter2'], 'a list'],
  ['two\nlines', String.raw`"two\nlines"`],
  [null, 'null'],
  [undefined, 'nothing'],
  [Number.NaN, 'NaN'],
])('previews a value in one short line and without what is inside it (%#)', (value, text) => {
  expect(preview(value)).toBe(text)
})
