import type Joi from 'joi'
import { DebloxError } from './errors'
import { plainMessages } from './messages'
import { isSecretField } from './secrets'

type Path = readonly (string | number)[]

/** One field that is not as expected. */
export interface FieldError {
  /** Its path, such as `mounts[0].target`. */
  field: string
  expected: string
  /** A preview of what arrived: never a whole object or list, which may hold secrets. */
  got: string
}

export interface ValidateOptions {
  /** Whether strings may stand for numbers and booleans, as in a query. */
  convert?: boolean
  /** What to call the value itself where no field of it is meant. */
  root?: string
}

/** The value that the schema makes of this one. Throws `invalid_request`, which names every field that is wrong. */
export function validate<T>(schema: Joi.Schema<T>, value: unknown, { convert = false, root }: ValidateOptions = {}): T {
  const wanted = value === undefined ? schema.required() : schema
  const result = wanted.validate(value, {
    abortEarly: false,
    convert,
    messages: plainMessages,
    errors: { wrap: { array: false, label: false } },
  })
  if (result.error === undefined) return result.value
  const fields = explain(result.error, schema, root)
  throw new DebloxError('invalid_request', sentence(fields), { details: { fields }, cause: result.error })
}

/** What is wrong, a field at a time, in the order in which Joi met it; the first ones where there are many. */
export function explain(error: Joi.ValidationError, schema?: Joi.Schema, root = 'request'): FieldError[] {
  const byField = new Map<string, FieldError>()
  for (const detail of error.details.slice(0, maxFields)) {
    const found = explainOne(detail, schema, root)
    const known = byField.get(found.field)
    if (known === undefined) byField.set(found.field, found)
    else if (known.expected !== found.expected) known.expected += ` and ${found.expected}`
  }
  return [...byField.values()]
}

/** One line, such as `id: expected a name; got "json?all=1#"`. */
export const sentence = (fields: readonly FieldError[]): string =>
  fields.map(({ field, expected, got }) => `${field}: expected ${expected}; got ${got}`).join('; ')

/** A value in a message: short, in one line, and without what is inside objects and lists. */
export function preview(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value !== 'string') return `${value as number | boolean | null}`
  if (value.length <= previewLength) return JSON.stringify(value)
  return `${JSON.stringify(value.slice(0, previewLength)).slice(0, -1)}…" (${value.length} characters)`
}

const previewLength = 60

/** Whoever sends a thousand wrong fields learns of the first ones. */
const maxFields = 20

function explainOne(detail: Joi.ValidationErrorItem, schema: Joi.Schema | undefined, root: string): FieldError {
  const { type, path, context, message } = detail
  const expected = message.replace(/^expected /, '')
  if (type === 'object.missing') {
    const peers = ((context?.['peers'] ?? []) as string[]).map((peer) => fieldName([...path, peer], root))
    return { field: peers.join(' or '), expected, got: 'nothing' }
  }
  if (type === 'object.and') {
    const { present, missing } = context as unknown as Record<'present' | 'missing', string[]>
    const field = missing.map((one) => fieldName([...path, one], root)).join(' and ')
    return { field, expected: `it beside ${present.join(' and ')}`, got: 'nothing' }
  }
  if (isSecretField(path[0])) return { field: fieldName(path.slice(0, 1), root), expected, got: 'something else' }
  const known = type === 'object.unknown' ? knownFields(schema, path.slice(0, -1)) : []
  return {
    field: fieldName(path, root),
    expected: known.length > 0 ? `one of the fields ${known.join(', ')}` : expected,
    got: preview(type === 'object.unknown' ? path.at(-1) : context?.value),
  }
}

/** The path as people write it. Parts come from the caller: odd ones are quoted, long ones cut. */
export function fieldName(path: Path, root = 'request'): string {
  const name = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${plainPart(part)}`)).join('')
  return name.replace(/^\./, '') || root
}

const plainPart = (part: string): string => (/^[\w.-]{1,60}$/.test(part) ? part : preview(part))

/** The fields of the closed object at this path, or none where any name would do. */
function knownFields(schema: Joi.Schema | undefined, path: Path): string[] {
  let here: Joi.Schema | undefined = schema
  for (const part of path) {
    if (here === undefined) return []
    here = typeof part === 'number' ? terms(here, 'items')[0] : keysOf(here).get(part)
  }
  return here === undefined || terms(here, 'patterns').length > 0 ? [] : [...keysOf(here).keys()]
}

const terms = (schema: Joi.Schema, name: string): Joi.Schema[] =>
  (schema.$_terms[name] as Joi.Schema[] | null | undefined) ?? []

function keysOf(schema: Joi.Schema): Map<string, Joi.Schema> {
  const entries = terms(schema, 'keys') as unknown as { key: string; schema: Joi.Schema }[]
  return new Map(entries.map(({ key, schema: of }) => [key, of]))
}
