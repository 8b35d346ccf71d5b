import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import type { DockOwners } from '@deblox/actions/define-action'
import { labelNames } from '@deblox/actions/made'
import { readKept, writeKept } from '@deblox/fleet/signing/kept-file'
import Joi from 'joi'

/** What is kept beside the labels: whom containers were given to since they were made, by their ids. */
type Given = Record<string, string>

const given = Joi.object<Given>().pattern(/^[0-9a-f]{64}$/, Joi.string().max(1_000))

/**
 * Whose this dock's containers are. A container carries its owner as a label, with a proof by a key that only this dock
 * has: a label that somebody wrote by hand is not believed. Labels cannot be changed, so a later owner is kept in a file.
 */
export class Owners implements DockOwners {
  private last: Promise<void> = Promise.resolve()

  private constructor(
    private readonly file: string,
    private readonly key: Buffer,
    private given: Given,
  ) {}

  /**
   * With the key and the file in a folder, made there the first time; one pair for each host name. Throws in one line where
   * the folder cannot keep them, or has something else in their place.
   */
  static async open(folder: string, hostname: string): Promise<Owners> {
    const file = join(folder, `owners.${hostname}.json`)
    try {
      return new Owners(file, await readKey(join(folder, `owner-key.${hostname}`)), await readGiven(file))
    } catch (error) {
      const got = error instanceof Error ? error.message : String(error)
      throw new Error(`DEBLOX_STATE_DIR: expected a folder that keeps whose the containers are; expected ${got}`, {
        cause: error,
      })
    }
  }

  proof(owner: string, job: string, slot: number): string {
    return createHmac('sha256', this.key).update(`${owner}\0${job}\0${slot}`).digest('base64url')
  }

  ownerOf(id: string, labels: Record<string, string>): string | null {
    const since = this.given[id]
    if (since !== undefined) return since
    const {
      [labelNames.owner]: owner,
      [labelNames.job]: job,
      [labelNames.slot]: slot,
      [labelNames.proof]: proof,
    } = labels
    if (owner === undefined || job === undefined || slot === undefined || proof === undefined) return null
    const [told, right] = [Buffer.from(proof), Buffer.from(this.proof(owner, job, Number(slot)))]
    return told.length === right.length && timingSafeEqual(told, right) ? owner : null
  }

  give(id: string, owner: string): Promise<void> {
    return this.keep((given) => ({ ...given, [id]: owner }))
  }

  /** The containers that were given to somebody since they were made. */
  givenAway(): string[] {
    return Object.keys(this.given)
  }

  /** Forgets what was kept of containers that are gone. */
  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const gone = new Set(ids)
    await this.keep((given) => Object.fromEntries(Object.entries(given).filter(([id]) => !gone.has(id))))
  }

  /** One after the other. Written down before it is gone by, so that a crash takes nothing back. */
  private keep(change: (given: Given) => Given): Promise<void> {
    const kept = this.last.then(async () => {
      const changed = change(this.given)
      await writeKept(this.file, `${JSON.stringify(changed)}\n`, 'replace')
      this.given = changed
    })
    this.last = kept.catch(() => undefined)
    return kept
  }
}

async function readKey(file: string): Promise<Buffer> {
  const kept = await readKept(file, 'private')
  if (kept === null) {
    await writeKept(file, `${randomBytes(32).toString('hex')}\n`, 'first')
    return readKey(file)
  }
  if (!/^[0-9a-f]{64}\n$/.test(kept)) throw new Error(`64 hex digits in ${file}, got something else`)
  return Buffer.from(kept.trim(), 'hex')
}

async function readGiven(file: string): Promise<Given> {
  const kept = await readKept(file, 'private')
  if (kept === null) return {}
  const wrong = new Error(`owners by the ids of containers in ${file}, got something else`)
  let parsed: unknown
  try {
    parsed = JSON.parse(kept)
  } catch {
    throw wrong
  }
  const { value, error } = given.validate(parsed)
  if (error) throw wrong
  return value
}
