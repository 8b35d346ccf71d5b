import type { KeyObject } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { AuditEntry, Decision } from './audit-chain'
import { auditIntakeOf, decisionOf } from './audit-intake'
import { auditStoreOf, type Head } from './audit-store'
import { counts, type FleetKeys } from './names'
import type { RedisClient } from './redis'

export interface AuditOptions {
  redis: RedisClient
  keys: FleetKeys
  /** Of the API replicas: the first one writes the chain, all verify it. */
  macKeys: readonly [KeyObject, ...KeyObject[]]
  log: Logger
  /** How many entries are kept in Redis. */
  kept?: number
  /** Called for each entry at once, for what counts them. */
  onEntry?: (entry: AuditEntry) => void
}

export interface AuditCounts {
  /** Entries that Redis has taken. */
  written: number
  /** Attempts to write that failed; what they should have written is tried again. */
  failures: number
  /** Entries that are on standard output only: too many were waiting. */
  lost: number
  waiting: number
}

/** Entries are gathered for so long, and after a failure they wait so long, in milliseconds. */
const gatherMs = 50
const retryMs = 1_000

/** So many are written at a time, and so many wait in memory while Redis is away: about 8 MB. */
const atOnce = 250
const waitingAtMost = 20_000

/** Beyond what is kept there may be so many more before the first ones are removed. */
const slack = 1_000

/** No field of an entry is longer than this, in characters. */
const longest = 300

/** The head of the chain is told in the log so often at the most, in milliseconds: whoever removes the end of the chain is found by it. */
const tellHeadMs = 60_000

/** Writes down who was allowed what and who was not. Nobody waits for it: `record` returns at once. */
export class Audit {
  readonly store: ReturnType<typeof auditStoreOf>
  private readonly intake: ReturnType<typeof auditIntakeOf>
  private readonly log: Logger
  private readonly copy: Logger
  private readonly stopping = new AbortController()
  private readonly waiting: string[] = []
  private readonly counted = { written: 0, failures: 0, lost: 0 }
  private untold = 0
  private head: Head | undefined
  private toldHeadAt = -Infinity
  private failing = false
  private ended = false
  private writing: Promise<void> | undefined

  constructor(private readonly options: AuditOptions) {
    const { redis, keys, macKeys, log } = options
    this.store = auditStoreOf(redis, keys, macKeys)
    this.intake = auditIntakeOf(redis, keys)
    this.log = log
    // Whatever the level of the log: it is the copy that nobody with Redis's password can change.
    this.copy = log.child({ audit: true }, { level: 'info' })
  }

  get counts(): AuditCounts {
    return { ...this.counted, waiting: this.waiting.length }
  }

  record(decision: Decision, at = new Date().toISOString()): void {
    const entry = bounded({ at, ...decision })
    this.copy.info(entry, entry.decision)
    this.options.onEntry?.(entry)
    if (this.waiting.length >= waitingAtMost) {
      this.counted.lost++
      this.untold++
    } else {
      this.waiting.push(JSON.stringify(entry))
    }
    this.writing ??= this.write()
  }

  /** Resolves when all that was recorded before is in Redis. Never while Redis is away. */
  async flush(): Promise<void> {
    while (this.writing) await this.writing
  }

  /** Writes what still waits, for so long at the most; answers how many entries are on standard output only. */
  async stop(deadlineMs = 2_000): Promise<number> {
    this.stopping.abort()
    const over = new AbortController()
    await Promise.race([this.flush(), wait(deadlineMs, undefined, { signal: over.signal }).catch(() => undefined)])
    over.abort()
    this.ended = true
    const left = this.waiting.length
    if (left > 0)
      this.log.warn({ code: 'audit_failed', left }, 'decisions could not be written; they are in this log only')
    return left
  }

  /** Takes what workers refused into the chain; answers how many. One killed in between takes them in again: twice, not never. */
  async drainIntake(): Promise<number> {
    const found = await this.intake.waiting()
    for (const { refusal } of found) this.record(decisionOf(refusal), refusal.at)
    if (found.length === 0) return 0
    await this.flush()
    await this.intake.remove(found.map(({ id }) => id))
    return found.length
  }

  private async write(): Promise<void> {
    await this.pause(gatherMs)
    while (this.waiting.length > 0 && !this.ended) {
      try {
        await this.writeSome()
        if (this.failing) this.log.info({ waiting: this.waiting.length }, 'decisions are written again')
        this.failing = false
      } catch (error) {
        this.counted.failures++
        const waiting = this.waiting.length
        if (!this.failing)
          this.log.warn({ err: error, code: 'audit_failed', waiting }, 'writing decisions failed; trying again')
        this.failing = true
        await this.pause(retryMs)
      }
    }
    this.writing = undefined
  }

  private async writeSome(): Promise<void> {
    const batch = this.waiting.slice(0, atOnce)
    this.head ??= await this.store.head()
    const { head, length, lost } = await this.store.append(batch, this.head)
    this.head = head
    this.waiting.splice(0, batch.length)
    this.counted.written += batch.length
    if (this.untold > 0) this.tellLost()
    if (lost)
      this.tell('audit_broken', 'expected the end of the chain as it was, got one without entries that were there')
    this.tellHead()
    if (length > (this.options.kept ?? counts.auditEntries) + slack) await this.trim(length)
  }

  private async trim(length: number): Promise<void> {
    const { removed, whole } = await this.store.trim()
    if (!whole)
      this.tell('audit_broken', `expected the first ${removed} entries to be whole as they were removed, got others`)
    this.log.debug({ removed, length }, 'the first decisions were removed')
  }

  /** To be called when there is room again. */
  private tellLost(): void {
    const lost = this.untold
    this.untold = 0
    this.tell('audit_failed', `${lost} decisions before this one could not be kept; they are on standard output only`)
  }

  /** Of the chain itself, in the chain and in the log. */
  private tell(code: string, reason: string): void {
    this.log.error({ code }, reason)
    this.record({ ...aboutTheChain, code, reason })
  }

  private tellHead(): void {
    if (performance.now() - this.toldHeadAt < tellHeadMs || !this.head) return
    this.toldHeadAt = performance.now()
    this.copy.info({ head: this.head.hash }, 'the chain ends here')
  }

  private async pause(ms: number): Promise<void> {
    await wait(ms, undefined, { signal: this.stopping.signal, ref: false }).catch(() => undefined)
    // Once it is to stop there is no pause any more, but others must have their turn.
    if (this.stopping.signal.aborted) await wait(20)
  }
}

/** The caller chooses names, paths and addresses, and so their lengths. */
function bounded(entry: AuditEntry): AuditEntry {
  const fields = Object.entries(entry) as [keyof AuditEntry, unknown][]
  if (!fields.some(([, value]) => isTooLong(value))) return entry
  return Object.fromEntries(
    fields.map(([name, value]) => [name, isTooLong(value) ? `${value.slice(0, longest)}…` : value]),
  ) as unknown as AuditEntry
}

const isTooLong = (value: unknown): value is string => typeof value === 'string' && value.length > longest

const aboutTheChain: Decision = {
  who: null,
  via: null,
  role: null,
  permission: 'audit',
  object: null,
  dock: null,
  job: null,
  address: null,
  requestId: null,
  decision: 'deny',
  status: null,
}
