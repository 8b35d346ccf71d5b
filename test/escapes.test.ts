import { admit } from '../libs/actions/src/admission/admit'
import { profiles, type Rules } from '../libs/actions/src/admission/rules'
import { dockerBody } from '../libs/actions/src/container-spec'
import { DebloxError } from '../libs/actions/src/errors'
import { type Escape, escapes } from './support/escapes'

const corpus = escapes()

/** The refusal of a document; fails where it is let in. */
function refusal(document: unknown, rules: Rules): DebloxError {
  try {
    admit(document, rules)
  } catch (error) {
    if (error instanceof DebloxError) return error
    throw error
  }
  throw new Error('expected a refusal, but it was let in')
}

test('there are enough of them, and no two are the same', () => {
  expect(new Set(corpus.map(({ body }) => JSON.stringify(body))).size).toBeGreaterThanOrEqual(900)
})

describe.each([...new Set(corpus.map(({ kind }) => kind))])('%s', (kind) => {
  const own = corpus.filter((escape) => escape.kind === kind).map((escape) => [escape.what, escape] as const)

  test.each(own)('restricted refuses what %s, and names the field', (_, { body, field }: Escape) => {
    const error = refusal(body, { profile: 'restricted' })
    expect({ code: error.code, field: error.details['field'] }).toEqual({
      code: expect.stringMatching(/^(admission_denied|invalid_request)$/),
      field,
    })
    expect(error.message.startsWith(`${field}: expected `)).toBe(true)
    expect(error.message).toMatch(/, got .+$/)
    // Also where it is the dock's policy that is so strict.
    expect(refusal(body, { profile: 'restricted', capped: true }).code).toMatch(/^(dock_policy|invalid_request)$/)
  })

  const specs = own.filter(([, { spec }]) => spec !== undefined)
  if (specs.length === 0) return
  test.each(specs)('restricted refuses a spec that %s', (_, { spec }: Escape) => {
    expect(refusal(dockerBody({ image: 'busybox', ...spec }), { profile: 'restricted' }).status).toBeLessThan(404)
  })
})

test.each(profiles)('another spelling and an unknown field are refused under %s as well', (profile) => {
  const spellings = corpus.filter(({ kind, what }) => kind === 'spellings' && !what.startsWith('has for HostConfig'))
  for (const { what, body } of spellings) {
    expect({ what, code: refusal(body, { profile }).code }).toEqual({ what, code: 'invalid_request' })
  }
})

/** What baseline is there for; all the rest of the corpus it refuses too. */
const baselineTakes = /^(ports|labels|images|host-settings|security-options|capabilities|logs|namespaces)$/

test('baseline refuses whatever reaches the host', () => {
  const reaching = corpus.filter(({ kind }) => !baselineTakes.test(kind))
  expect(reaching.length).toBeGreaterThan(400)
  for (const { what, body } of reaching) {
    expect({ what, status: refusal(body, { profile: 'baseline' }).status }).toEqual({
      what,
      status: expect.any(Number) as number,
    })
  }
})
