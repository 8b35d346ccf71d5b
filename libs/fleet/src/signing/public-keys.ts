import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import Joi from 'joi'
import { headerOf, isSignedBy, partsOf, type Signed, signedTypes } from './jws'

/** The public half of a key (RFC 8037). `kid` is its thumbprint (RFC 7638). */
export interface PublicKey {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  kid: string
}

/** The keys that sign for a fleet's API, the one that signs now first. Of two sets the one with the higher version is later. */
export interface PublicKeys {
  version: number
  keys: PublicKey[]
}

/** The body of an Ed25519 or X25519 key: 32 bytes. */
export const octets32 = Joi.string().pattern(/^[A-Za-z0-9_-]{43}$/)

const publicKeys = Joi.object<PublicKeys, true>({
  version: Joi.number().integer().min(1).default(1),
  keys: Joi.array()
    .items(
      Joi.object<PublicKey>({
        kty: Joi.valid('OKP').required(),
        crv: Joi.valid('Ed25519').required(),
        x: octets32.required(),
        kid: octets32.required(),
      })
        // What other tools write beside; a private half among public ones is refused.
        .pattern(Joi.valid('alg', 'use', 'key_ops', 'ext'), Joi.any()),
    )
    .min(1)
    .max(2)
    .required(),
}).options({ convert: false })

/** A set of public keys from its JSON text. Throws in one line what is wrong with it. */
export function parsePublicKeys(text: string): PublicKeys {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new Error('expected a JSON Web Key set, got something else')
  }
  const { value, error } = publicKeys.validate(parsed)
  // Not Joi's own words: they could hold a value.
  if (error)
    throw new Error(`expected a JSON Web Key set of one or two public Ed25519 keys; ${pathOf(error)} is not so`)
  return { version: value.version, keys: value.keys.map(named) }
}

const pathOf = (error: Joi.ValidationError): string => error.details[0]?.path.join('.') || 'the document'

function named({ kid, x }: PublicKey): PublicKey {
  const key = { kty: 'OKP', crv: 'Ed25519', x } as const
  const expected = thumbprint(key)
  if (kid !== expected) throw new Error(`expected each key's thumbprint as its kid, got ${kid} for ${expected}`)
  return { ...key, kid }
}

/** The thumbprint of a key (RFC 7638). */
export const thumbprint = ({ crv, kty, x }: { crv: string; kty: string; x: string }): string =>
  createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url')

/** What people compare: the thumbprints of the keys. */
export const fingerprint = ({ keys }: PublicKeys): string => keys.map(({ kid }) => kid).join(' and ')

/** Tells who has signed a text. */
export type Verify = (text: string, jws: string) => Verdict

/** `unknown`: by none of these keys, though one that is not known yet may have. `bad`: by nobody. */
export type Verdict = { by: string } | 'unknown' | 'bad'

/** Verifies one kind of signed text with these keys and none besides. */
export function verifierOf({ keys }: PublicKeys, typ: Signed): Verify {
  const byHeader = new Map<string, { kid: string; key: KeyObject }>(
    keys.map(({ kid, ...jwk }) => [
      headerOf(kid, typ),
      { kid, key: createPublicKey({ key: { ...jwk }, format: 'jwk' }) },
    ]),
  )
  return (text, jws) => {
    const parts = partsOf(jws)
    if (!parts) return 'bad'
    const known = byHeader.get(parts.header)
    if (!known) return 'unknown'
    return isSignedBy(text, parts.header, parts.signature, known.key) ? { by: known.kid } : 'bad'
  }
}

/** One for each kind of signed text. */
export const verifiersOf = (keys: PublicKeys): Record<Signed, Verify> =>
  Object.fromEntries(signedTypes.map((typ) => [typ, verifierOf(keys, typ)])) as Record<Signed, Verify>

export const badSignature = (what: string): DebloxError => new DebloxError('bad_signature', what)
