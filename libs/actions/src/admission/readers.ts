import { preview } from '../explain'
import { type At, denied, inside, kindOf, malformed } from './refusal'
import { gives, type Profile } from './rules'

/**
 * Reads one value of a document and returns what Docker is given for it, built anew; undefined where it is given
 * nothing. Throws what `denied` and `malformed` make.
 */
export type Reader = (value: unknown, at: At) => unknown

/** Any text. It may hold a secret: no message shows it. */
export const text: Reader = (value, at) => {
  if (typeof value !== 'string') throw malformed(at, 'a string', kindOf(value))
  // A NUL ends a string for the kernel: what is checked would not be what is used.
  if (value.includes('\0')) throw malformed(at, 'a string without a NUL character', 'one with it')
  return value
}

export const flag: Reader = (value, at) => {
  if (typeof value !== 'boolean') throw malformed(at, 'true or false', preview(value))
  return value
}

/** How a reader refuses a value that is of the right type. */
type Refuse = (at: At, expected: string, value: unknown) => Error

const asMalformed: Refuse = (at, expected, value) => malformed(at, expected, preview(value))

/** A whole number between these, both included. */
export const whole =
  (least = -Number.MAX_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER, refuse = asMalformed): Reader =>
  (value, at) => {
    if (!Number.isSafeInteger(value)) throw malformed(at, 'a whole number', preview(value))
    const number = value as number
    if (number < least || number > most) throw refuse(at, range(least, most), number)
    return number
  }

/** Text of one form. */
export const form =
  (pattern: RegExp, expected: string, refuse = asMalformed): Reader =>
  (value, at) => {
    const read = text(value, at) as string
    if (!pattern.test(read)) throw refuse(at, expected, read)
    return read
  }

/** One of these words; where it is another, `refuse` says whether some profile would take it. */
const word =
  (words: readonly string[], refuse: Refuse): Reader =>
  (value, at) => {
    const read = text(value, at) as string
    if (!words.includes(read)) throw refuse(at, words.map((each) => each || 'nothing').join(' or '), read)
    return read
  }

/** One of all words that there are. */
export const oneOf = (...words: readonly string[]): Reader => word(words, asMalformed)

/** One of the words that a profile allows. */
export const only = (...words: readonly string[]): Reader => word(words, denied)

export const list =
  (entry: Reader): Reader =>
  (value, at) => {
    if (!Array.isArray(value)) throw malformed(at, 'a list', kindOf(value))
    return value.map((item: unknown, index) => entry(item, inside(at, index)))
  }

/** An object whose names are the caller's own. */
export const map =
  (entry: Reader, checkName: (name: string, at: At) => void = () => undefined): Reader =>
  (value, at) => {
    const entries = Object.entries(objectAt(value, at)).map(([name, item]) => {
      const here = inside(at, name)
      if (name.includes('\0')) throw malformed(here, 'a name without a NUL character', 'one with it')
      checkName(name, here)
      return [name, entry(item, here)]
    })
    // It makes own properties also of names such as __proto__.
    return Object.fromEntries(entries) as unknown
  }

/** An object of these fields and no others. What is null is as good as absent: so Docker reads it. */
export function object(fields: Record<string, Reader>): Reader {
  const bySpelling = new Map(Object.keys(fields).map((name) => [folded(name), name]))
  return (value, at) => {
    const built: Record<string, unknown> = {}
    for (const [name, item] of Object.entries(objectAt(value, at))) {
      const reader = Object.hasOwn(fields, name) ? fields[name] : undefined
      if (reader === undefined) throw unknownField(name, bySpelling.get(folded(name)), at)
      if (item === null || item === undefined) continue
      const read = reader(item, inside(at, name))
      if (read !== undefined) built[name] = read
    }
    return built
  }
}

/** The reader from this profile on, and another one below it, or else nothing but what stands for nothing. */
export const from =
  (least: Profile, reader: Reader, below: Reader = nothingOf(reader)): Reader =>
  (value, at) =>
    gives(at.rules, least) ? reader(value, at) : below(value, at)

/** Nothing, of the type that the field has; it is left out. */
const nothingOf =
  (reader: Reader): Reader =>
  (value, at) => {
    if (!isEmpty(value)) throw denied(at, nothingLike(value), value)
    reader(value, { ...at, rules: { profile: 'privileged' } })
    return undefined
  }

/** Known, and no business of anybody's: read by engines of another age or system. */
export const unused: Reader = (value, at) => {
  if (!isEmpty(value)) throw malformed(at, nothingLike(value), preview(value))
  return undefined
}

/** What stands for the engine's own default is left to the engine; all else is for another reader. */
export const orDefault =
  (standsFor: (value: unknown) => boolean, reader: Reader): Reader =>
  (value, at) =>
    standsFor(value) ? undefined : reader(value, at)

/** As Docker compares the names of fields: Go folds the long s and the Kelvin sign too. */
export const folded = (name: string): string => name.toUpperCase().toLowerCase()

function range(least: number, most: number): string {
  if (most === Number.MAX_SAFE_INTEGER) return `a whole number of ${least} or more`
  return `a whole number from ${least} to ${most}`
}

function objectAt(value: unknown, at: At): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(at, 'an object', kindOf(value))
  }
  return value
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === null || value === undefined || value === false || value === 0 || value === ''
}

function nothingLike(value: unknown): string {
  if (value === true) return 'false'
  if (typeof value === 'number') return '0'
  return Array.isArray(value) ? 'an empty list' : 'nothing'
}

function unknownField(name: string, known: string | undefined, at: At): Error {
  if (known !== undefined) return malformed(inside(at, name), `the field spelled ${known}`, preview(name))
  return malformed(inside(at, name), 'a field that Docker’s create has at this place', preview(name))
}
