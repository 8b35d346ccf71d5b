import { DebloxError } from '@deblox/actions/errors'
import { type FieldError, fieldName, preview, sentence } from '@deblox/actions/explain'

/** How deep objects and lists may nest; the body itself is the first level. */
const maxDepth = 32

/** Names by which an object would reach its prototype once it is copied field by field. */
const forbidden: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * The JSON object in a body. Throws `malformed_json` where it is none or nests too deeply, and `invalid_request` where
 * a field has a dangerous name or stands twice: JSON.parse would take the last, another reader the first.
 */
export function parseJson(body: string | Buffer): Record<string, unknown> {
  const text = typeof body === 'string' ? body : decode(body)
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notAnObject(preview(value))
  checkKeys(text)
  return value as Record<string, unknown>
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (error) {
    throw notAnObject('bytes that are not UTF-8', error)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw notAnObject(text.trim() === '' ? 'nothing' : `text that is not JSON (${(error as Error).message})`, error)
  }
}

interface Level {
  /** The keys met so far; absent in a list. */
  keys?: Set<string>
  /** Where in the object or list the walk is. */
  at: string | number
}

/** Walks text that JSON.parse has accepted, without recursion: its depth is the sender's to choose. */
function checkKeys(text: string): void {
  const levels: Level[] = []
  for (let index = 0; index < text.length; index++) {
    const level = levels.at(-1)
    const character = text[index]
    if (character === '{' || character === '[') {
      if (levels.length === maxDepth) throw tooDeep(levels)
      levels.push(character === '{' ? { keys: new Set(), at: '' } : { at: 0 })
    } else if (character === '}' || character === ']') {
      levels.pop()
    } else if (character === ',' && typeof level?.at === 'number') {
      level.at++
    } else if (character === '"') {
      const end = endOfString(text, index)
      if (level?.keys && isKey(text, end)) enter(level.keys, JSON.parse(text.slice(index, end)) as string, levels)
      index = end - 1
    }
  }
}

function enter(keys: Set<string>, key: string, levels: Level[]): void {
  const field = fieldName([...levels.slice(0, -1).map(({ at }) => at), key])
  if (forbidden.has(key)) throw badField({ field, expected: 'no field of that name', got: 'one' })
  if (keys.has(key)) throw badField({ field, expected: 'each field once', got: 'it twice' })
  keys.add(key)
  const level = levels.at(-1)
  if (level) level.at = key
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let index = start + 1
  while (text[index] !== '"') index += text[index] === '\\' ? 2 : 1
  return index + 1
}

function isKey(text: string, after: number): boolean {
  let index = after
  while (/\s/.test(text[index] ?? '')) index++
  return text[index] === ':'
}

const malformed = (field: FieldError, cause?: unknown): DebloxError =>
  new DebloxError('malformed_json', sentence([field]), { cause })

const notAnObject = (got: string, cause?: unknown): DebloxError =>
  malformed({ field: 'body', expected: 'a JSON object', got }, cause)

const tooDeep = (levels: Level[]): DebloxError =>
  malformed({
    field: 'body',
    expected: `at most ${maxDepth} levels of objects and lists`,
    got: `more, at ${preview(fieldName(levels.map(({ at }) => at)))}`,
  })

const badField = (field: FieldError): DebloxError =>
  new DebloxError('invalid_request', sentence([field]), { details: { fields: [field] } })
