import type { JobRecord } from './job'
import { withMac, withoutMac } from './maced'
import { badSignature } from './signing/public-keys'
import { signer, type Trust } from './signing/trust'

/** The fields of a job's hash in Redis. */
export type RecordFields = Record<string, string>

/** A job's record as it is kept: its text, and the MAC by which the API's replicas know that one of them wrote it. */
export interface KeptRecord {
  text: string
  mac: string
}

/**
 * How the records of jobs are written and read. Whoever can write to Redis can change them: what is only shown is believed
 * as it is, but nothing is signed by a record that no replica of the API has written.
 */
export function recordsOf(trust: Trust) {
  const key = trust.keys?.macKey('records')

  return {
    /** Throws where this program has no keys: then it makes no jobs. */
    keep(record: JobRecord): KeptRecord {
      const text = JSON.stringify(record)
      return { text, mac: withMac(record.id, text, key ?? signer(trust).macKey('records')).slice(0, -text.length - 1) }
    },

    /** The record, whoever wrote it. */
    read: ({ record }: RecordFields): JobRecord => JSON.parse(record as string) as JobRecord,

    /** The record, or undefined where there is none that can be read. */
    readable({ record = '' }: RecordFields): JobRecord | undefined {
      try {
        return JSON.parse(record) as JobRecord
      } catch {
        return undefined
      }
    },

    /** The record, to make a signed job of. Throws `bad_signature` where no replica of the API wrote it under this id. */
    own(id: string, { record = '', mac = '' }: RecordFields): JobRecord {
      const text = key && withoutMac(id, `${mac}.${record}`, key)
      if (text === undefined) throw badSignature(`id: expected a job whose record the API has written, got ${id}`)
      return JSON.parse(text) as JobRecord
    },
  }
}

export type Records = ReturnType<typeof recordsOf>
