import { newJobId, type SignedJob } from './job'
import { isNewer, openJob, parsePayload, signJob } from './payload'
import { noTrust, trustIn } from './signing/trust'
import { otherKeys, testKeys } from './testing/keys'

const payloadVersion = 3

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
  issuedAt: 1_700_000_000_000,
  expiresAt: 1_700_000_060_000,
  dock: 'dock-1',
  identity: { subject: 'anna', teams: ['web'], role: 'deployer', scopes: ['start-container'] },
  given: { owner: 'team:web' },
  view: { owners: ['anna'], grants: [] },
  rules: { profile: 'baseline' },
  origin: newJobId(),
  sealed: 'a.b.c.d.e',
} as const

const parse = (data: unknown) => parsePayload(JSON.stringify(data))

test('a payload is taken as it is', () => {
  expect(parse(whole)).toEqual(whole)
})

test.each(['view', 'rules', 'origin', 'sealed'] as const)('one without %s is whole as well', (field) => {
  const { [field]: _, ...rest } = whole
  expect(parse(rest)).toEqual(rest)
})

const required = [
  'v',
  'jobId',
  'slot',
  'numbered',
  'action',
  'params',
  'actor',
  'owner',
  'replyTo',
  'acceptedAt',
  'issuedAt',
]

test.each([
  ...[...required, 'expiresAt', 'dock', 'identity', 'given'].map((field): [string, unknown] => [field, undefined]),
  ['v', 0],
  ['v', 2],
  ['v', '3'],
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
  ['expiresAt', null],
  ['dock', ''],
  ['given', 'all'],
  ['sealed', {}],
  ['origin', 'somebody'],
  ['unheardOf', 1],
])('one whose %s is %j is refused, and the field is named', (field, value) => {
  const { [field]: _, ...rest } = whole as Record<string, unknown>
  const data = value === undefined ? rest : { ...rest, [field]: value }
  const refusal = expect.objectContaining({
    code: 'invalid_request',
    message: expect.stringMatching(new RegExp(`${field}: expected `)),
  })
  expect(() => parse(data)).toThrow(refusal as Error)
})

test.each([{ subject: 3 }, { teams: 'web' }, { role: 'root' }, { scopes: 'all' }])(
  'an identity of which it is said %j is refused',
  (field) => {
    expect(() => parse({ ...whole, identity: { ...whole.identity, ...field } })).toThrow(/^identity/)
  },
)

test.each(['deblox:docks', 'deblox:job:1', 'x:replies:a b', `${'x'.repeat(400)}:replies:1`, 'deblox:replies:'])(
  'a worker is not made to write its answer to %j',
  (replyTo) => {
    expect(() => parse({ ...whole, replyTo })).toThrow(/replyTo: expected /)
  },
)

test.each([null, 3, 'text', true, [], [whole]])('%j is no payload', (data) => {
  expect(() => parse(data)).toThrow(expect.objectContaining({ code: 'invalid_request' }) as Error)
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

describe('what is on a topic', () => {
  const { vouch } = trustIn(testKeys)
  const payload = parse(whole)
  const signed = signJob(payload, testKeys)
  const refused = expect.objectContaining({ code: 'bad_signature', status: 403 }) as Error

  test('is opened where the API has signed it, and is put elsewhere as it was', async () => {
    await expect(openJob(JSON.parse(JSON.stringify(signed)), vouch)).resolves.toEqual({ ...whole, signed })
  })

  const text = (change: (body: string) => string): SignedJob => ({ ...signed, body: change(signed.body) })

  test.each([
    ['by somebody else', signJob(payload, otherKeys())],
    ['without a signature', { v: 3, body: signed.body, sig: '' }],
    ['with the signature of another', { ...signed, sig: signJob({ ...payload, slot: 2 }, testKeys).sig }],
    ['for another purpose', { ...signed, sig: testKeys.sign(signed.body, 'deblox-keys') }],
    ['with another field', text((body) => body.replace('start-container', 'kill-container'))],
    ['written anew', text((body) => JSON.stringify(JSON.parse(body), null, 1))],
    ['with a space more', text((body) => `${body} `)],
    ['with a field twice', text((body) => body.replace('{', '{"dock":"dock-2",'))],
    ['as its payload', payload],
    ['with its payload beside', { ...signed, ...payload }],
    ['of version 2', { ...signed, v: 2 }],
    ['with its body parsed', { ...signed, body: JSON.parse(signed.body) as object }],
  ])('%s is refused', async (_, data) => {
    await expect(openJob(data, vouch)).rejects.toThrow(refused)
  })

  test.each([null, undefined, 3, 'text', [], [signed], {}])('as %j is refused', async (data) => {
    await expect(openJob(data, vouch)).rejects.toThrow(refused)
  })

  test('and signed, though it is no payload, is told from what is forged', async () => {
    const body = '{"v":3}'
    const sig = testKeys.sign(body, 'deblox-job')
    await expect(openJob({ v: 3, body, sig }, vouch)).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('is opened by nobody who does not know the API', async () => {
    await expect(openJob(signed, noTrust.vouch)).rejects.toThrow(refused)
  })
})
