import fc from 'fast-check'
import { admit } from '../libs/actions/src/admission/admit'
import { type Profile, profiles } from '../libs/actions/src/admission/rules'
import { DebloxError } from '../libs/actions/src/errors'
import { escapes } from './support/escapes'

type Document = Record<string, unknown>

const bodies = escapes()
  .filter(({ kind }) => kind !== 'spellings')
  .map(({ body }) => body)

/** Every value that the corpus has for a field, here or in `HostConfig`. */
function valuesOf(documents: Document[]): Map<string, unknown[]> {
  const values = new Map<string, unknown[]>()
  for (const document of documents) {
    for (const [name, value] of Object.entries(document)) values.set(name, [...(values.get(name) ?? []), value])
  }
  return values
}

const harmless: readonly unknown[] = [
  null,
  false,
  0,
  '',
  [],
  {},
  true,
  1,
  512,
  'x',
  ['x'],
  { x: 'y' },
  'private',
  'bridge',
]

/** A document of fields that stand in the corpus, with values that do, with harmless ones and with any. */
function documentOf(values: Map<string, unknown[]>): fc.Arbitrary<Document> {
  const fields = [...values].map(([name, known]) => {
    const value = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...harmless) },
      { weight: 2, arbitrary: fc.constantFrom(...known) },
      { weight: 1, arbitrary: fc.jsonValue() },
    )
    return value.map((chosen) => [name, chosen] as const)
  })
  return fc.array(fc.oneof(...fields), { maxLength: 4 }).map((chosen) => Object.fromEntries(chosen))
}

const { HostConfig: _, ...topLevel } = Object.fromEntries(valuesOf(bodies))
const hosts = bodies.map(({ HostConfig }) => HostConfig).filter((host) => typeof host === 'object' && host !== null)
const hostConfig = documentOf(valuesOf(hosts as Document[]))
const document = fc
  .tuple(documentOf(new Map(Object.entries(topLevel))), fc.option(hostConfig, { nil: undefined }))
  .map(([config, host]) => ({ ...config, ...(host && { HostConfig: host }) }))

/** The body that a profile makes of a document, or undefined where it refuses it as it should. */
function built(given: unknown, profile: Profile): unknown {
  try {
    return admit(given, { profile })
  } catch (error) {
    if (error instanceof DebloxError && error.details['field'] !== undefined) return undefined
    throw error
  }
}

/** How many of the documents were let in: properties of none would hold of anything. */
function check(property: (given: Document) => boolean): number {
  let letIn = 0
  fc.assert(
    fc.property(document, (given) => {
      if (property(given)) letIn++
    }),
    { numRuns: 10_000 },
  )
  return letIn
}

test.each(profiles)('%s refuses what it refuses by a field, and takes again what it has built', (profile) => {
  const letIn = check((given) => {
    const body = built(given, profile)
    if (body === undefined) return false
    expect(built(body, profile)).toEqual(body)
    return true
  })
  expect(letIn).toBeGreaterThan(500)
})

test('what a profile takes, the next one takes too', () => {
  const letIn = check((given) => {
    const taken = profiles.map((profile) => built(given, profile) !== undefined)
    expect(taken).toEqual(taken.map((_taken, index) => taken.slice(0, index + 1).some(Boolean)))
    return taken[0] === true
  })
  expect(letIn).toBeGreaterThan(500)
})

test('whatever else it is given is refused as well', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...profiles), (given, profile) => {
      const body = built(given, profile)
      expect(body === undefined || typeof given === 'object').toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
