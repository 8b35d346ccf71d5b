import { randomBytes } from 'node:crypto'
import type { Given, View } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import type { Rules } from '@deblox/actions/admission/rules'
import type { ErrorCode } from '@deblox/actions/errors'
import { clusterTopic, dockOfTopic, times } from './names'

/** The original's reply, field for field. */
export interface Envelope {
  'Content-Length'?: string
  'Content-Type'?: string
  Date: string
  Response: { Body: unknown } | ''
  dockerInstance: string
  statusCode: number
}

/** What becomes of the other containers where one of several could not be made. */
export type OnFailure = 'keep' | 'rollback'

/**
 * The version of a payload's shape. A worker leaves newer ones to newer workers, and refuses those of versions 1 and 2, which
 * nobody has signed.
 */
export const payloadVersion = 3

/** What is on a topic: the text of a payload, and the API's signature over exactly its bytes (a detached JWS). */
export interface SignedJob {
  v: typeof payloadVersion
  body: string
  sig: string
}

/** Instead of a host name: whichever dock takes it from the cluster topic, or was dealt it while nobody asked for that one. */
export const anyDock = '*'

/** What a worker is told: one slot of a job. */
export interface JobPayload {
  v: typeof payloadVersion
  jobId: string
  slot: number
  /** Whether the caller asked for `instances`. */
  numbered: boolean
  action: string
  params: Record<string, unknown>
  actor: string
  owner: string
  /** The stream of the API replica that waits for the outcome. */
  replyTo: string
  acceptedAt: number
  /** When it was signed, and when it may not be begun any more, in milliseconds since 1970 by Redis's clock. */
  issuedAt: number
  expiresAt: number
  /** The host name of the dock that is to carry it out, or `anyDock`. */
  dock: string
  /** Who asked, with the rights that he had then. */
  identity: Identity
  /** What the API believed of the container when it allowed this; a worker looks whether it is so. */
  given: Given
  /** Whose containers a list shows; all where it is absent. */
  view?: View
  /** What the containers that it makes or changes may ask for. */
  rules?: Rules
  /** The job whose failed slots this one tries again: what it made, this one finds and takes for its own. */
  origin?: string
  /** What only the dock may know (see signing/seal.ts). */
  sealed?: string
  /** As what it was on its topic, and is put on another one. */
  signed?: SignedJob
}

/** What a job is, written before anything is put on a topic. */
export interface JobRecord {
  id: string
  action: string
  params: Record<string, unknown>
  actor: string
  owner: string
  replyTo: string
  numbered: boolean
  /** Milliseconds since 1970. */
  acceptedAt: number
  /** When it may not be begun any more, in milliseconds since 1970. */
  expiresAt?: number
  /** The topic of slot 1, 2 … */
  topics: string[]
  /** The topics are docks that nobody asked for. */
  dealt?: true
  onFailure?: OnFailure
  /** Who asked, with the rights that he had then. */
  identity?: Identity
  /** What the API believed of the container when it allowed this; a worker looks whether it is so. */
  given?: Given
  /** Whose containers a list shows; all where it is absent. */
  view?: View
  /** What the containers that it makes or changes may ask for. */
  rules?: Rules
  /** What only the dock of slot 1, 2 … may know; nothing of it stands anywhere else. */
  sealed?: string[]
  /** The job that this one tries again, and the first one of all of those. */
  retryOf?: string
  origin?: string
}

export interface JobError {
  code: ErrorCode
  status: number
  message: string
  details?: Record<string, unknown>
}

export type TerminalState = 'completed' | 'failed' | 'expired' | 'cancelled'

/** How one slot ended. */
export interface SlotOutcome {
  slot: number
  state: TerminalState
  dock: string | null
  attempts: number
  startedAt: number | null
  finishedAt: number
  result: SlotResult | null
  error: JobError | null
  /** The job that deletes what it made, because another slot did not complete. */
  undoneBy?: string
}

/** What a slot brought about. */
export interface SlotResult {
  envelope: Envelope
  container?: { id: string; name: string }
}

export type JobState = 'waiting' | 'active' | TerminalState

/** How one slot stands: its outcome, or what its topic says of it. */
export type SlotStatus =
  | SlotOutcome
  | {
      slot: number
      state: 'waiting' | 'active'
      dock: string | null
      attempts: number
      startedAt: number | null
      /** Why it does not run just now. */
      error?: JobError
    }

/** The id under which BullMQ knows one slot of a job, after so many times that it was handed on. */
export const slotJobId = (jobId: string, slot: number, hops = 0): string =>
  hops === 0 ? `${jobId}.${slot}` : `${jobId}.${slot}.${hops}`

/** A UUID of version 7 (RFC 9562): ids sort by the time of acceptance. */
export function newJobId(now = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** When a job of that id was accepted, in milliseconds since 1970. */
export const timeOfJobId = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)

/** One slot of a job, as its worker is told. */
export function payloadOf(record: JobRecord, slot: number): JobPayload {
  const { id, numbered, action, params, actor, owner, replyTo, acceptedAt, view, rules, origin } = record
  const { identity = { subject: actor, teams: [], role: 'admin' }, given = {}, sealed } = record
  return {
    v: payloadVersion,
    jobId: id,
    slot,
    numbered,
    action,
    params,
    actor,
    owner,
    replyTo,
    acceptedAt,
    issuedAt: acceptedAt,
    expiresAt: record.expiresAt ?? acceptedAt + times.deadline.change,
    dock: (record.dealt ? null : dockOfTopic(record.topics[slot - 1] ?? clusterTopic)) ?? anyDock,
    identity,
    given,
    ...(view !== undefined && { view }),
    ...(rules !== undefined && { rules }),
    ...(origin !== undefined && { origin }),
    ...(sealed?.[slot - 1] !== undefined && { sealed: sealed[slot - 1] }),
  }
}

export const isFinished = (status: SlotStatus): status is SlotOutcome => 'finishedAt' in status
