import Joi from 'joi'
import { fingerprint, parsePublicKeys, type PublicKeys, verifierOf } from './public-keys'

/** A set of public keys as it is published: its exact text, and a signature by each key that its publisher has. */
export interface KeyDocument {
  set: string
  signatures: string[]
}

/** A document that was read, and the set that it tells of. */
export interface KnownDocument extends KeyDocument {
  keys: PublicKeys
}

/** So many changes are remembered: a dock that was away for longer is told the keys by hand. */
const maxDocuments = 16

const documents = Joi.array<KeyDocument[]>()
  .items(
    Joi.object<KeyDocument, true>({
      set: Joi.string().max(2_000).required(),
      signatures: Joi.array().items(Joi.string().max(1_000)).min(1).max(2).required(),
    }),
  )
  .min(1)
  .max(maxDocuments)
  .required()
  .options({ convert: false })

/** What was published, the first set first. Throws where it is something else. */
export function readDocuments(text: string): KnownDocument[] {
  const { value, error } = documents.validate(JSON.parse(text))
  if (error) throw new Error('expected published key sets, got something else')
  return value.map((one) => ({ ...one, keys: parsePublicKeys(one.set) }))
}

/** The text to be published when a set comes after others. */
export const writeDocuments = (earlier: readonly KeyDocument[], next: KeyDocument): string =>
  JSON.stringify(
    [...earlier, next].slice(-maxDocuments).map(({ set, signatures }): KeyDocument => ({ set, signatures })),
  )

/** Whether one of these keys has signed the document. */
export function isVouchedFor({ set, signatures }: KeyDocument, by: PublicKeys): boolean {
  const verify = verifierOf(by, 'deblox-keys')
  return signatures.some((signature) => typeof verify(set, signature) === 'object')
}

/**
 * The latest set to which these keys lead: each later set counts only if a key of the one before has signed it. An older
 * one never does, or a key that was dropped because it was stolen could be brought back.
 */
export function follow(pinned: PublicKeys, published: readonly KnownDocument[]): PublicKeys {
  return published.reduce(
    (known, one) => (one.keys.version > known.version && isVouchedFor(one, known) ? one.keys : known),
    pinned,
  )
}

export const isSame = (one: PublicKeys, other: PublicKeys): boolean =>
  one.version === other.version && fingerprint(one) === fingerprint(other)
