import { newJobId, payloadVersion } from './job'
import { isNewer, isPayload, parsePayload } from './payload'

const whole = {
  v: payloadVersion,
  jobId: newJobId(),
  slot: 1,
  numbered: false,
  action: 'start-container',
  params: { id: 'a'.repeat(64) },
  actor: 'anna',
  owner: 'anna',
  replyTo: 'deblox:replies:01a2-b.c_d',
  acceptedAt: 1_700_000_000_000,
  expiresAt: 1_700_000_060_000,
  origin: newJobId(),
  dealt: true,
}

test('a payload is taken as it is', () => {
  expect(parsePayload(whole)).toEqual(whole)
  expect(isPayload(whole)).toBe(true)
})

test.each(['expiresAt', 'origin', 'dealt'])('one without %s is whole as well', (field) => {
  const { [field as 'dealt']: _, ...rest } = whole
  expect(parsePayload(rest)).toEqual(rest)
})

test.each([
  ...['v', 'jobId', 'slot', 'numbered', 'action', 'params', 'actor', 'owner', 'replyTo', 'acceptedAt'].map(
    (field): [string, unknown] => [field, undefined],
  ),
  ['v', 0],
  ['v', '1'],
  ['v', payloadVersion + 1],
  ['jobId', 'job-7'],
  ['jobId', '6d0c3c1e-8f9e-4d65-9b60-3f3f3a1b2c3d'],
  ['slot', 0],
  ['slot', 1.5],
  ['slot', '1'],
  ['slot', 1_001],
  ['numbered', 'true'],
  ['action', ''],
  ['action', 'x'.repeat(1_001)],
  ['params', []],
  ['params', 'text'],
  ['params', null],
  ['actor', 3],
  ['acceptedAt', 'now'],
  ['acceptedAt', -1],
  ['acceptedAt', Infinity],
  ['expiresAt', null],
  ['origin', 'somebody'],
  ['dealt', false],
  ['unheardOf', 1],
])('one whose %s is %j is refused, and the field is named', (field, value) => {
  const { [field]: _, ...rest } = whole as Record<string, unknown>
  const data = value === undefined ? rest : { ...rest, [field]: value }
  const refusal = expect.objectContaining({
    code: 'invalid_request',
    message: expect.stringMatching(new RegExp(`${field}: expected `)),
  })
  expect(() => parsePayload(data)).toThrow(refusal as Error)
  expect(isPayload(data)).toBe(false)
})

test.each(['deblox:docks', 'deblox:job:1', 'x:replies:a b', `${'x'.repeat(400)}:replies:1`, 'deblox:replies:'])(
  'a worker is not made to write its answer to %j',
  (replyTo) => {
    expect(() => parsePayload({ ...whole, replyTo })).toThrow(/replyTo: expected /)
  },
)

test.each([undefined, null, 3, 'text', true, [], [whole]])('%j is no payload', (data) => {
  expect(() => parsePayload(data)).toThrow(expect.objectContaining({ code: 'invalid_request' }) as Error)
})

test('a newer version is known by its number alone, whatever else it holds', () => {
  expect(isNewer({ v: payloadVersion + 1, somethingNew: [] })).toBe(true)
  expect(isNewer({ v: payloadVersion })).toBe(false)
  expect(isNewer({ v: 1 })).toBe(false)
})

test.each([null, undefined, 'text', {}, { v: '9' }, { v: 9.5 }, { v: Infinity }, { v: null }])(
  '%j is of no version, and not newer',
  (data) => expect(isNewer(data)).toBe(false),
)
