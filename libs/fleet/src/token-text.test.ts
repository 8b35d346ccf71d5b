import { createHash } from 'node:crypto'
import { isSecretOf, isTokenLike, looksRandom, newToken, parseToken } from './token-text'

test('a new token has an id of its own and 256 random bits, and is read again', () => {
  const made = Array.from({ length: 1_000 }, newToken)
  for (const { token, id, hash } of made) {
    expect(token).toMatch(/^dbx_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/)
    expect(Buffer.from(token.slice(-43), 'base64url')).toHaveLength(32)
    expect(parseToken(token)).toEqual({ id, hash })
    expect(looksRandom(token)).toBe(true)
  }
  expect(new Set(made.map(({ id }) => id)).size).toBe(made.length)
  expect(new Set(made.map(({ hash }) => hash)).size).toBe(made.length)
})

test('what is kept of a secret is its SHA-256', () => {
  const secret = 'x'.repeat(43)
  const hash = createHash('sha256').update(secret).digest('hex')
  expect(parseToken(`dbx_0123456789abcdef_${secret}`)).toEqual({ id: '0123456789abcdef', hash })
})

test.each([
  '',
  'dbx_',
  `dbx_0123456789abcdef_${'x'.repeat(42)}`,
  `dbx_0123456789abcdef_${'x'.repeat(44)}`,
  `dbx_0123456789abcde_${'x'.repeat(43)}`,
  `dbx_0123456789ABCDEF_${'x'.repeat(43)}`,
  `DBX_0123456789abcdef_${'x'.repeat(43)}`,
  `dbx_0123456789abcdef_${'x'.repeat(42)}+`,
  `dbx_0123456789abcdef_${'x'.repeat(43)}\n`,
  ` dbx_0123456789abcdef_${'x'.repeat(43)}`,
])('%j is no token', (text) => expect(parseToken(text)).toBeUndefined())

test('a secret is right for its own digest alone, and for none where there is none', () => {
  const [one, other] = [newToken(), newToken()]
  expect(isSecretOf(one, one.hash)).toBe(true)
  expect(isSecretOf(one, other.hash)).toBe(false)
  expect(isSecretOf(one, '')).toBe(false)
  expect(isSecretOf({ id: one.id, hash: '0'.repeat(64) }, undefined)).toBe(false)
})

test('what begins like a token is judged as one', () => {
  expect(isTokenLike('dbx_nonsense')).toBe(true)
  expect(isTokenLike('eyJhbGciOiJFUzI1NiJ9.e30.x')).toBe(false)
})

test.each(['A'.repeat(43), 'abc'.repeat(14) + 'a', '0123456789abcdef'.slice(0, 15).repeat(3).slice(0, 43)])(
  'the secret %s was not drawn at random',
  (secret) => expect(looksRandom(`dbx_0123456789abcdef_${secret}`)).toBe(false),
)
