import type { KeyObject } from 'node:crypto'
import { DebloxError, type ErrorCode } from '@deblox/actions/errors'
import type { Fleet } from '../fleet'
import { badSignature } from '../signing/public-keys'
import type { Vouch } from '../signing/trust'
import { AnsweredCall } from './answered-call'
import type { Answerer } from './call'
import { tellError } from './call-error'
import { broken, lineOf, type Values } from './frames'
import { inTime } from './in-time'
import { Line } from './line'
import { callsPerCaller, callsPerDock, type Pace, pace as usualPace } from './limits'
import { type Opening, openQuestion, type Question, readOpening, type SignedOpening } from './opening'
import { Outbox } from './outbox'
import { Pulse } from './pulse'
import { ReplicaSessions } from './replica-sessions'
import { SeenIds } from './seen-ids'
import type { Session } from './session'
import { type Fields, readStream, type StreamReader, valuesOf } from './stream-reader'

/** What was asked for and is not answered: the caller may not have been told. */
export interface CallRefusal {
  /** As far as it is known. */
  callId: string | null
  code: ErrorCode
  message: string
}

export interface AnswerOptions {
  /** Its Redis waits until it is back. */
  fleet: Pick<Fleet, 'redis' | 'keys' | 'clock'>
  /** That Redis again, for a connection of its own. */
  url: string
  hostname: string
  /** The lease's value: another one for each process. */
  incarnation: string
  isHeld: () => boolean
  vouch: Vouch
  /** The dock's secret key. */
  sealKey: KeyObject
  /** By kind. */
  answerers: ReadonlyMap<string, Answerer>
  onRefused: (refusal: CallRefusal) => void
  onError: (error: unknown) => void
  pace?: Pace
}

export interface AnsweredCalls {
  /** How many are being answered. */
  readonly count: number
  /** Ends all calls, takes no more, and leaves nothing of them in Redis. To be called while the lease is held. */
  close(): Promise<void>
}

/** Answers calls to one dock. To be called when its lease is held. */
export function answerCalls(options: AnswerOptions): AnsweredCalls {
  return new Answers(options)
}

/** That two clocks tell the same moment so differently is no reason to refuse a call, in milliseconds. */
const clockMs = 5_000

/** Why a call is refused that is as the API has signed it: no matter for the audit. */
const notOurs: ReadonlySet<ErrorCode> = new Set(['lease_lost', 'too_many_streams'])

/** What is left to be sent when the worker stops has so long, in milliseconds. */
const closeMs = 1_000

class Answers implements AnsweredCalls {
  private readonly calls = new Map<string, AnsweredCall>()
  private readonly sessions: ReplicaSessions
  private readonly seen = new SeenIds()
  private readonly outbox: Outbox
  private readonly pulse: Pulse
  private readonly reader: StreamReader
  private running = 0
  private readonly runningOf = new Map<string, number>()
  private closed = false

  constructor(private readonly options: AnswerOptions) {
    const { fleet, url, hostname, isHeld, onError, pace = usualPace } = options
    this.outbox = new Outbox(fleet.redis, onError)
    this.sessions = new ReplicaSessions({ ...options, keys: fleet.keys, outbox: this.outbox })
    const sessions = (): Iterable<Session> => this.sessions.all()
    const before = (): void => {
      if (!isHeld()) this.failAll(leaseLost())
    }
    this.pulse = new Pulse({ pace, sessions, before, ask: () => fleet.redis.time(), onError })
    this.reader = readStream({
      url,
      stream: fleet.keys.calls(hostname),
      blockMs: pace.blockMs,
      // Whoever holds the lease now reads what is there: it is not to be taken from him.
      mayRead: isHeld,
      onEntries: (entries) => this.receiveAll(entries),
      onError,
    })
  }

  get count(): number {
    return this.running
  }

  async close(): Promise<void> {
    this.closed = true
    const { fleet, hostname, isHeld } = this.options
    this.reader.close()
    this.failAll(broken('a worker that answers', 'one that stops'))
    // Without it Redis forgets it by itself.
    const forgotten = isHeld() ? fleet.redis.del(fleet.keys.calls(hostname)).catch(() => undefined) : undefined
    await inTime(Promise.all([this.outbox.settled(), forgotten]), closeMs)
    this.pulse.stop()
    this.outbox.close()
  }

  /** In their order: a call's input comes right behind it. */
  private async receiveAll(entries: readonly Fields[]): Promise<void> {
    for (const fields of entries) {
      if (this.closed) return
      const [body, sig] = valuesOf(fields)
      if (fields[0]?.toString() === 'o') await this.open({ body: String(body), sig: String(sig) })
      else this.receive(valuesOf(fields))
    }
  }

  private receive(frame: Values): void {
    const name = lineOf(frame)
    const call = this.calls.get(name)
    if (call) return call.receive(frame)
    try {
      this.sessions.byName(name)?.told(frame)
    } catch (error) {
      this.options.onError(error)
    }
  }

  /** Never rejects: anything may stand in Redis. */
  private async open(signed: SignedOpening): Promise<void> {
    let opening: Opening | undefined
    try {
      opening = await readOpening(signed, this.options.vouch)
      await this.take(opening)
    } catch (error) {
      const isKnown = error instanceof DebloxError
      if (!isKnown) this.options.onError(error)
      const { code, message } = isKnown ? error : badSignature('call: expected one that can be read, got another')
      this.options.onRefused({ callId: opening?.id ?? null, code, message })
    }
  }

  /** Throws what the audit is to be told. */
  private async take(opening: Opening): Promise<void> {
    const { hostname, incarnation, fleet } = this.options
    const { dock, id, expiresAt } = opening
    if (dock !== hostname) throw badSignature(`dock: expected ${hostname}, got ${dock}`)
    // It was meant for the worker before this one.
    if (opening.incarnation !== incarnation) return
    const now = fleet.clock.now()
    // Nothing is ever sent about one that may have been answered before: no two frames may have the same key and counter.
    if (now > expiresAt + clockMs) throw badSignature(`expiresAt: expected a time to come, got ${expiresAt}`)
    const before = this.seen.add(id, now, expiresAt + 2 * clockMs)
    // Redis may have been told twice, because its answer was lost.
    if (before === 'just now') return
    if (before === 'long ago') throw badSignature(`call: expected one that was not asked before, got ${id} again`)
    this.begin(opening, await this.sessions.of(opening))
  }

  private begin(opening: Opening, session: Session): void {
    const { onError } = this.options
    const id = Buffer.from(opening.id, 'base64url')
    const line: Line = new Line({
      ...session.options,
      id,
      onLost: () => session.lost(),
      onClosed: () => session.members.delete(line.name),
    })
    try {
      const question = openQuestion(opening.asked, line.opener)
      if (question.window !== undefined) line.narrow(question.window)
      const answerer = this.answererOf(question)
      this.start(new AnsweredCall(line, session, question, () => this.calls.delete(line.name), onError), answerer)
    } catch (error) {
      line.close('fail', tellError(error), error as Error)
      if (!(error instanceof DebloxError) || !notOurs.has(error.code)) throw error
    }
  }

  private start(call: AnsweredCall, answerer: Answerer): void {
    this.calls.set(call.line.name, call)
    call.session.add(call)
    this.pulse.start()
    this.tally(call, 1)
    void call.run(answerer).finally(() => this.tally(call, -1))
  }

  private tally({ identity: { subject } }: AnsweredCall, more: 1 | -1): void {
    this.running += more
    const now = (this.runningOf.get(subject) ?? 0) + more
    if (now > 0) this.runningOf.set(subject, now)
    else this.runningOf.delete(subject)
  }

  private answererOf({ kind, identity: { subject } }: Question): Answerer {
    const answerer = this.options.answerers.get(kind)
    if (!answerer) throw new DebloxError('unknown_action', `kind: expected one that this dock answers, got ${kind}`)
    if (!this.options.isHeld()) throw leaseLost()
    if (this.running >= callsPerDock) throw tooMany(callsPerDock, 'this dock')
    if ((this.runningOf.get(subject) ?? 0) >= callsPerCaller) throw tooMany(callsPerCaller, `this dock for ${subject}`)
    return answerer
  }

  private failAll(error: Error): void {
    for (const session of this.sessions.all()) session.fail(error)
  }
}

const tooMany = (most: number, where: string): DebloxError =>
  new DebloxError('too_many_streams', `call: expected fewer than ${most} on ${where}, got one more`)

const leaseLost = (): DebloxError =>
  new DebloxError('lease_lost', 'call: expected the worker to hold the lease of its dock, but it does not')
