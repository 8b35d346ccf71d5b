import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** `dbx_<id>_<secret>`: 16 hex digits, and 256 random bits as 43 characters of base64url. */
const form = /^dbx_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

/** What of a token is compared: the secret itself is not kept anywhere. */
export interface ParsedToken {
  id: string
  /** SHA-256 of the secret's text, in hex. */
  hash: string
}

export function newToken(): ParsedToken & { token: string } {
  const id = randomBytes(8).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  return { token: `dbx_${id}_${secret}`, id, hash: hashOf(secret) }
}

/** Whether a credential claims to be a token: then it is judged as one, and as nothing else. */
export const isTokenLike = (credential: string): boolean => credential.startsWith('dbx_')

export function parseToken(token: string): ParsedToken | undefined {
  const [, id, secret] = form.exec(token) ?? []
  return id === undefined || secret === undefined ? undefined : { id, hash: hashOf(secret) }
}

/** In the same time wherever the two differ, and where there is nothing to compare with. */
export function isSecretOf({ hash }: ParsedToken, expected: string | undefined): boolean {
  const right = Buffer.from(expected ?? '0'.repeat(hash.length))
  const given = Buffer.from(hash)
  return given.length === right.length && timingSafeEqual(given, right) && expected !== undefined
}

/**
 * Whether a token that people have made themselves has been drawn at random: of 43 characters that have been, fewer than 16
 * different ones are met less than once in 10^13 times.
 */
export const looksRandom = (token: string): boolean => new Set(token.slice(-43)).size >= 16

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
