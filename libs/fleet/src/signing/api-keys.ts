import {
  createPrivateKey,
  createSecretKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import Joi from 'joi'
import { StartError } from '../start-error'
import { headerOf, type Signed, signedTypes, signText } from './jws'
import { readKept, writeKept } from './kept-file'
import { octets32, type PublicKey, type PublicKeys, thumbprint } from './public-keys'

/** What an API replica signs with, and what it makes its MACs with. */
export interface ApiKeys {
  /** The public halves. */
  set: PublicKeys
  /** A detached JWS over the bytes of a text, by the key that signs now. */
  sign(text: string, typ: Signed): string
  /** One by each key: a worker that knows any of them believes it. */
  signByAll(text: string, typ: Signed): string[]
  /** A secret of 32 bytes for MACs, one for each label. It stays the same when the signing keys are changed. */
  macKey(label: string): KeyObject
}

interface SecretSet {
  version: number
  keys: [root: RootKey, ...signing: SigningKey[]]
}

interface RootKey {
  kty: 'oct'
  k: string
}

interface SigningKey extends Omit<PublicKey, 'kid'> {
  d: string
}

const secretSet = Joi.object<SecretSet>({
  version: Joi.number().integer().min(1).required(),
  keys: Joi.array()
    .ordered(Joi.object<RootKey>({ kty: Joi.valid('oct').required(), k: octets32.required() }).required())
    .items(
      Joi.object<SigningKey>({
        kty: Joi.valid('OKP').required(),
        crv: Joi.valid('Ed25519').required(),
        x: octets32.required(),
        d: octets32.required(),
      }),
    )
    .min(2)
    .max(3)
    .required(),
}).options({ convert: false })

/**
 * The keys in a file, made there the first time: a JSON Web Key set of the secret that MACs come from and one or two
 * Ed25519 keys, of which the first signs. Throws in one line where the file cannot be kept, is not one, or is not private.
 */
export async function openApiKeys(file: string): Promise<ApiKeys> {
  return told(file, async () => {
    const kept = await readKept(file, 'private')
    if (kept !== null) return keysFrom(kept)
    await writeKept(file, newKeys(), 'first')
    // Another replica on this machine may have been first.
    return keysFrom((await readKept(file, 'private')) ?? '')
  })
}

/** The keys in the text of such a file. */
export const keysFrom = (text: string): ApiKeys => keysOf(parse(text))

/** Puts a new key before the one that signs now, which goes on to be believed. */
export const addKey = (file: string): Promise<ApiKeys> =>
  change(file, ({ version, keys: [root, ...signing] }) => {
    if (signing.length > 1) throw new Error('one signing key, got two: drop the older one first')
    return { version: version + 1, keys: [root, newSigning(), ...signing] }
  })

/** Drops the older of two keys. */
export const dropOldKey = (file: string): Promise<ApiKeys> =>
  change(file, ({ version, keys: [root, first, ...older] }) => {
    if (!first || older.length === 0) throw new Error('two signing keys, got one: add one first')
    return { version: version + 1, keys: [root, first] }
  })

async function change(file: string, how: (set: SecretSet) => SecretSet): Promise<ApiKeys> {
  return told(file, async () => {
    const kept = await readKept(file, 'private')
    if (kept === null) throw new Error('a file that an API has made, got none')
    const changed = how(parse(kept))
    await writeKept(file, textOf(changed), 'replace')
    return keysOf(changed)
  })
}

async function told<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error)
    throw new StartError(`DEBLOX_SIGNING_KEYS: expected ${file} to keep this API's keys; expected ${got}`, {
      cause: error,
    })
  }
}

function parse(text: string): SecretSet {
  const wrong = new Error('a JSON Web Key set of one secret and one or two Ed25519 keys, got something else')
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw wrong
  }
  const { value, error } = secretSet.validate(parsed)
  // Joi's own words may hold a value, which is secret.
  if (error) throw wrong
  return value
}

function keysOf({ version, keys: [root, ...signing] }: SecretSet): ApiKeys {
  const pairs = signing.map(pairOf)
  const [first] = pairs as [Pair, ...Pair[]]
  const secret = Buffer.from(root.k, 'base64url')
  const signWith = ({ key, headers }: Pair, text: string, typ: Signed): string => signText(text, headers[typ], key)
  return {
    set: { version, keys: pairs.map((pair) => pair.public) },
    sign: (text, typ) => signWith(first, text, typ),
    signByAll: (text, typ) => pairs.map((pair) => signWith(pair, text, typ)),
    macKey: (label) => createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `deblox ${label}`, 32))),
  }
}

interface Pair {
  public: PublicKey
  key: KeyObject
  headers: Record<Signed, string>
}

function pairOf({ kty, crv, x, d }: SigningKey): Pair {
  const jwk = { kty, crv, x }
  const kid = thumbprint(jwk)
  const key = createPrivateKey({ key: { ...jwk, d }, format: 'jwk' })
  // A public half that is not this private half's would let nobody verify.
  if (key.export({ format: 'jwk' }).x !== x) throw new Error('keys whose halves belong together, got others')
  const headers = Object.fromEntries(signedTypes.map((typ) => [typ, headerOf(kid, typ)])) as Record<Signed, string>
  return { public: { ...jwk, kid }, key, headers }
}

/** The text of a new file. */
export const newKeys = (): string => textOf({ version: 1, keys: [newRoot(), newSigning()] })

const newRoot = (): RootKey => ({ kty: 'oct', k: randomBytes(32).toString('base64url') })

const newSigning = (): SigningKey =>
  generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as unknown as SigningKey

const textOf = (set: SecretSet): string => `${JSON.stringify(set, null, 2)}\n`
