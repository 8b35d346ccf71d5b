import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import { StartError } from '../start-error'
import { follow, isSame, isVouchedFor, readDocuments } from './key-documents'
import { readKept, writeKept } from './kept-file'
import type { Signed } from './jws'
import {
  badSignature,
  fingerprint,
  parsePublicKeys,
  type PublicKeys,
  type Verdict,
  type Verify,
  verifiersOf,
} from './public-keys'

/** Between two looks whether the keys have changed, in milliseconds. */
const lookAgainMs = 5_000

/** Where a worker has the API's public keys from. */
export interface PinSource {
  /** A file of the worker's own in which it keeps what it has seen first. */
  file: string
  /** A JSON Web Key set that somebody has put there: then Redis is not asked. */
  given?: string | undefined
  /** What the API has published; null where there is nothing. */
  published(): Promise<string | null>
}

/**
 * The public keys whose signature this worker believes. Those that it sees first are kept: what Redis says later changes
 * them only where one of them has signed the change.
 */
export class PinnedKeys {
  private known: PublicKeys | null = null
  private verifiers: Record<Signed, Verify> | undefined
  private looking: Promise<void> = Promise.resolve()
  /** Of what stands in Redis and is not believed: it is told once. */
  private refused = ''

  private constructor(
    private readonly source: PinSource,
    private readonly log: Logger,
  ) {}

  /** Throws in one line where what was kept, or given, is not a key set, or others could have written it. */
  static async open(source: PinSource, log: Logger): Promise<PinnedKeys> {
    const pinned = new PinnedKeys(source, log)
    const { given, file } = source
    const variable = given === undefined ? 'DEBLOX_STATE_DIR' : 'DEBLOX_API_KEYS'
    try {
      const text = await readKept(given ?? file, 'public')
      if (text !== null) pinned.take(parsePublicKeys(text))
      else if (given !== undefined) throw new Error('expected a file, got none')
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new StartError(`${variable}: expected the API's public keys in ${given ?? file}, got: ${why}`, {
        cause: error,
      })
    }
    return pinned
  }

  /** What people compare with the API's, or null where no key has been seen yet. */
  get fingerprint(): string | null {
    return this.known && fingerprint(this.known)
  }

  /** Looks whether there are other keys, by what the pinned ones have signed. Never rejects. */
  look(): Promise<void> {
    this.looking = this.looking.then(() =>
      this.refresh().catch((error: unknown) => this.log.warn({ err: error }, 'the API’s keys could not be read')),
    )
    return this.looking
  }

  /** Looks every few seconds, until the signal aborts: a key that was dropped is not believed for much longer. */
  async keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look()
      await wait(lookAgainMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** Resolves where the API has signed the text; throws `bad_signature`. Asks for new keys where it may be by one of those. */
  async require(text: string, signature: string, typ: Signed = 'deblox-job'): Promise<void> {
    let verdict = this.verify(text, signature, typ)
    if (verdict === 'unknown') {
      await this.look()
      verdict = this.verify(text, signature, typ)
    }
    if (verdict === 'bad') throw badSignature('signature: expected one over this very text, got another')
    if (verdict === 'unknown') throw badSignature(`signature: expected one by ${this.fingerprint ?? 'a known key'}`)
  }

  private verify(text: string, signature: string, typ: Signed): Verdict {
    return this.verifiers?.[typ](text, signature) ?? 'unknown'
  }

  private take(keys: PublicKeys): void {
    this.known = keys
    this.verifiers = verifiersOf(keys)
  }

  private async refresh(): Promise<void> {
    if (this.source.given !== undefined) {
      const text = await readKept(this.source.given, 'public')
      if (text !== null) this.take(parsePublicKeys(text))
      return
    }
    const published = await this.source.published()
    if (published === null) return
    const documents = readDocuments(published)
    const before = this.known
    const latest = documents.at(-1)
    if (!before) {
      if (!latest || !isVouchedFor(latest, latest.keys)) return
      this.log.warn(
        { fingerprint: fingerprint(latest.keys) },
        'the API’s keys are seen for the first time and believed',
      )
      return this.keep(latest.keys)
    }
    const after = follow(before, documents)
    if (!isSame(before, after)) {
      this.log.warn(
        { was: fingerprint(before), fingerprint: fingerprint(after) },
        'the API has new keys, which an old one vouches for',
      )
      return this.keep(after)
    }
    const found = latest ? fingerprint(latest.keys) : ''
    if (!latest || isSame(latest.keys, before) || found === this.refused) return
    this.refused = found
    this.log.error(
      { pinned: fingerprint(before), found },
      'Redis has keys for which no known key vouches; they are not believed',
    )
  }

  private async keep(keys: PublicKeys): Promise<void> {
    this.take(keys)
    await writeKept(this.source.file, `${JSON.stringify(keys)}\n`, 'replace').catch((error: unknown) =>
      // Jobs must not fail over a full disk.
      this.log.warn({ err: error }, 'the API’s keys could not be kept; at the next start the first ones are believed'),
    )
  }
}
