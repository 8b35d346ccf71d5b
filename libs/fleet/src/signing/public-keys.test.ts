import { CompactSign, FlattenedSign, generateKeyPair } from 'jose'
import { otherKeys, testKeys } from '../testing/keys'
import { fingerprint, parsePublicKeys, type PublicKey, type PublicKeys, verifierOf } from './public-keys'

const [key] = testKeys.set.keys as [PublicKey]
const verify = verifierOf(testKeys.set, 'deblox-job')
const text = '{"action":"delete-container"}'
const signed = testKeys.sign(text, 'deblox-job')

test('what one of them has signed is known to be by it', () => {
  expect(verify(text, signed)).toEqual({ by: key.kid })
})

test('what is not the very text is bad', () => {
  for (const other of [`${text} `, text.replace('delete', 'Delete'), '', text.replace('}', ',"a":1}')])
    expect(verify(other, signed)).toBe('bad')
})

test('half a character is not taken for the one that it is written as', () => {
  const replaced = testKeys.sign('"\ufffd"', 'deblox-job')
  expect(verify('"\ufffd"', replaced)).toEqual({ by: key.kid })
  expect(verify('"\ud800"', replaced)).toBe('bad')
})

test('a flip of any bit of a signature makes it bad or unknown', () => {
  for (let at = 0; at < signed.length; at++)
    for (let bit = 0; bit < 7; bit++) {
      const flipped = Buffer.from(signed)
      flipped[at] = (flipped[at] as number) ^ (1 << bit)
      expect(typeof verify(text, flipped.toString('latin1'))).toBe('string')
    }
})

test('a signature by a stranger is unknown, and one with the name of a known key is bad', () => {
  expect(verify(text, otherKeys().sign(text, 'deblox-job'))).toBe('unknown')
  const [header] = signed.split('.')
  const [, , signature] = otherKeys().sign(text, 'deblox-job').split('.')
  expect(verify(text, `${header}..${signature}`)).toBe('bad')
})

test('one for another purpose is not believed', () => {
  expect(verify(text, testKeys.sign(text, 'deblox-keys'))).toBe('unknown')
})

test('no header but the expected one is believed, whatever it says', async () => {
  const { privateKey } = await generateKeyPair('EdDSA')
  const made = async (header: object, secret: typeof privateKey | Uint8Array = privateKey) => {
    const jws = await new FlattenedSign(Buffer.from(text)).setProtectedHeader(header as { alg: string }).sign(secret)
    return `${jws.protected}..${jws.signature}`
  }
  const bytes = Buffer.from(key.x, 'base64url')
  const headers = [
    await made({ alg: 'EdDSA', kid: key.kid, typ: 'deblox-job' }),
    await made({
      alg: 'EdDSA',
      b64: false,
      crit: ['b64'],
      kid: key.kid,
      typ: 'deblox-job',
      jku: 'https://evil.example',
    }),
    await made({ alg: 'HS256', b64: false, crit: ['b64'], kid: key.kid, typ: 'deblox-job' }, bytes),
    `${Buffer.from(JSON.stringify({ alg: 'none', kid: key.kid })).toString('base64url')}..`,
    await new CompactSign(Buffer.from(text)).setProtectedHeader({ alg: 'EdDSA', kid: key.kid }).sign(privateKey),
  ]
  for (const jws of headers) expect(['unknown', 'bad']).toContain(verify(text, jws))
})

test.each(['', '.', '..', 'a..b', 'x', '{}', `${signed}=`, ` ${signed}`, signed.replace('..', '.e30.')])(
  '%j is no signature',
  (jws) => {
    expect(verify(text, jws)).toBe('bad')
  },
)

describe('a set that somebody has written', () => {
  const other = otherKeys().set
  const parse = (set: unknown) => parsePublicKeys(JSON.stringify(set))

  test('is read, also where other tools have added to it', () => {
    const keys = [{ ...key, alg: 'EdDSA', use: 'sig' }]
    expect(parse({ keys })).toEqual({ version: 1, keys: [key] } satisfies PublicKeys)
    expect(fingerprint(parse({ keys: [key, other.keys[0]] }))).toBe(`${key.kid} and ${other.keys[0]?.kid}`)
  })

  test.each([
    ['no keys', { keys: [] }],
    ['three keys', { keys: [key, key, key] }],
    ['a private half', { keys: [{ ...key, d: 'A'.repeat(43) }] }],
    ['another kind of key', { keys: [{ ...key, crv: 'X25519' }] }],
    ["another's name", { keys: [{ ...key, kid: other.keys[0]?.kid }] }],
    ['a text', 'keys'],
  ])('with %s is refused without its values', (_, set) => {
    expect(() => parse(set)).toThrow(/^expected (a JSON Web Key set|each key's thumbprint)/)
    expect(() => parse(set)).not.toThrow('A'.repeat(43))
  })
})
