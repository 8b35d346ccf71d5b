import { type KeyObject, sign, verify } from 'node:crypto'

/** What a signature is about: one that was made for another kind of text is not believed. */
export const signedTypes = ['deblox-job', 'deblox-keys', 'deblox-call'] as const

export type Signed = (typeof signedTypes)[number]

/**
 * The protected header of every signature by a key (RFC 7515, with the body as it is by RFC 7797). There is no other: it is
 * compared, never read, so that nothing in it can choose how it is verified.
 */
export const headerOf = (kid: string, typ: Signed): string =>
  Buffer.from(JSON.stringify({ alg: 'EdDSA', b64: false, crit: ['b64'], kid, typ })).toString('base64url')

/**
 * A detached JWS over exactly the bytes of a text. By Node's own crypto: jose's goes through another thread, which takes
 * twice the time and lets signatures overtake each other (docs/adr/0033-signed-jobs.md). jose verifies what is made here.
 */
export const signText = (text: string, header: string, key: KeyObject): string =>
  `${header}..${sign(null, input(header, text), key).toString('base64url')}`

/** The two parts of a detached JWS, or null where it is something else. */
export function partsOf(jws: string): { header: string; signature: Buffer } | null {
  const [, header = '', text = ''] = /^([A-Za-z0-9_-]{1,512})\.\.([A-Za-z0-9_-]{86})$/.exec(jws) ?? []
  const signature = Buffer.from(text, 'base64url')
  // One signature has one spelling.
  return header !== '' && signature.toString('base64url') === text ? { header, signature } : null
}

/** Whether that key has signed exactly this text under this header. */
export const isSignedBy = (text: string, header: string, signature: Buffer, key: KeyObject): boolean =>
  // Half a character would be written as another one: two texts must not have the same bytes.
  !halfCharacter.test(text) && verify(null, input(header, text), key, signature)

/** Half of a character that takes two of JavaScript's. */
const halfCharacter = /\p{Surrogate}/u

const input = (header: string, text: string): Buffer => Buffer.from(`${header}.${text}`)
