import { randomBytes, randomUUID } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import type { Fleet } from '../fleet'
import { overRedis, runScript, script } from '../redis'
import type { ApiKeys } from '../signing/api-keys'
import { sealPinsOf } from '../signing/seal-pins'
import { answerOf, AskedCall } from './asked-call'
import type { Asked, Call, Calls } from './call'
import { broken, lineOf } from './frames'
import { inTime } from './in-time'
import { Leaving } from './leaving'
import { type Pace, pace as usualPace, waitingEntries } from './limits'
import { sealQuestion, signOpening } from './opening'
import { Outbox } from './outbox'
import { Pulse } from './pulse'
import type { Session } from './session'
import { type DockSession, DockSessions, unreachable } from './sessions'
import { type Fields, readStream, type StreamReader, valuesOf } from './stream-reader'

export interface CallerOptions {
  /** Its Redis is that of a process which answers people: a command fails fast. */
  fleet: Pick<Fleet, 'redis' | 'keys' | 'clock'>
  /** That Redis again, for a connection of its own. */
  url: string
  /** What calls are signed with. */
  keys: ApiKeys
  onError: (error: Error) => void
  /** Names the stream by which docks answer: letters, digits, `.`, `_`, `-`; another for each process. */
  replica?: string
  pace?: Pace
}

export interface OpenCalls extends Omit<Calls, 'close'> {
  /** How many are open. */
  readonly count: number
  /** Ends all calls, takes no more, and leaves nothing of them in Redis. */
  close(): Promise<void>
}

/**
 * KEYS: lease, calls, frames. ARGV: incarnation, body, signature, life of calls, life of frames, most that may wait.
 * A dock that lives takes what waits at once. -> what became of it, and the lease.
 */
const openScript = script(`
  local lease = redis.call('GET', KEYS[1])
  if not lease then return { 'unreachable' } end
  if lease ~= ARGV[1] then return { 'replaced' } end
  if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[6]) then return { 'full' } end
  local made = redis.call('EXISTS', KEYS[3]) == 0
  if made then redis.call('XADD', KEYS[3], 'MAXLEN', 0, '*', 'f', '') end
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
  redis.call('XADD', KEYS[2], '*', 'o', ARGV[2], 's', ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  return { made and 'first' or 'opened' }`)

/** What is left to be sent when a replica stops has so long, in milliseconds. */
const closeMs = 1_000

/** An API replica's calls to all docks. */
export function callsTo(options: CallerOptions): OpenCalls {
  return new Caller(options)
}

class Caller implements OpenCalls {
  private readonly pace: Pace
  private readonly replica: string
  private readonly frames: string
  private readonly outbox: Outbox
  private readonly sessions: DockSessions
  private readonly pulse: Pulse
  private readonly reader: StreamReader
  private readonly calls = new Map<string, AskedCall>()
  private closed = false
  private readonly redis

  constructor(private readonly options: CallerOptions) {
    const { fleet, url, keys, onError, replica = randomUUID(), pace = usualPace } = options
    this.pace = pace
    this.replica = replica
    this.frames = fleet.keys.frames(replica)
    this.outbox = new Outbox(fleet.redis, onError)
    const pins = sealPinsOf(fleet.redis, fleet.keys, keys.macKey('seal-pins'), () => fleet.clock.now())
    this.sessions = new DockSessions({ redis: fleet.redis, keys: fleet.keys, replica, pins, outbox: this.outbox })
    this.redis = overRedis({
      session: (dock: string) => this.sessions.to(dock),
      run: (used: string[], told: (string | number)[]) => runScript(fleet.redis, openScript, used, told),
    })
    const busy = (): Session[] => [...this.sessions.busy()].map(({ session }) => session)
    this.pulse = new Pulse({ pace, sessions: busy, ask: () => this.renew(), onError })
    const onEntries = (entries: readonly Fields[]): void => entries.forEach((fields) => this.receive(fields))
    this.reader = readStream({ url, stream: this.frames, blockMs: pace.blockMs, onEntries, onError })
  }

  get count(): number {
    return this.calls.size
  }

  async open(asked: Asked): Promise<Call> {
    const leaving = new Leaving(asked)
    try {
      return await this.begin(asked, leaving)
    } finally {
      leaving.over()
    }
  }

  async ask(asked: Asked): Promise<unknown> {
    const leaving = new Leaving(asked)
    let call: AskedCall | undefined
    try {
      call = await this.begin(asked, leaving)
      return await leaving.before(answerOf(call))
    } catch (error) {
      call?.fail(error as Error)
      throw error
    } finally {
      leaving.over()
    }
  }

  async close(): Promise<void> {
    this.closed = true
    const { redis } = this.options.fleet
    for (const call of this.calls.values()) call.fail(stopping())
    await inTime(this.outbox.settled(), closeMs)
    this.pulse.stop()
    this.outbox.close()
    this.reader.close()
    // Without it Redis forgets it by itself.
    await inTime(
      redis.del(this.frames).catch(() => undefined),
      closeMs,
    )
  }

  private async begin(asked: Asked, leaving: Leaving): Promise<AskedCall> {
    // A worker may have been followed by another since the last call.
    const call = (await this.send(asked, leaving)) ?? (await this.send(asked, leaving))
    if (!call) throw unreachable(asked.dock)
    try {
      await leaving.before(call.begun)
    } catch (error) {
      call.fail(error as Error)
      throw error
    }
    const leave = () => call.cancel()
    asked.signal.addEventListener('abort', leave, { once: true })
    if (asked.signal.aborted) leave()
    call.ended.catch(() => undefined).finally(() => asked.signal.removeEventListener('abort', leave))
    return call
  }

  /** Undefined where the dock's lease is not any more what it was. */
  private async send(asked: Asked, leaving: Leaving): Promise<AskedCall | undefined> {
    const session = await leaving.before(this.redis.session(asked.dock))
    if (this.closed) throw stopping()
    return leaving.before(this.sendTo(session, asked, leaving))
  }

  private async sendTo(to: DockSession, asked: Asked, leaving: Leaving): Promise<AskedCall | undefined> {
    const { fleet, keys } = this.options
    const id = randomBytes(16)
    const call: AskedCall = new AskedCall(to.session, id, () => this.calls.delete(call.line.name), asked.window)
    const issuedAt = fleet.clock.now()
    const { body, sig } = signOpening(
      {
        id: id.toString('base64url'),
        session: to.id,
        dock: to.dock,
        incarnation: to.incarnation,
        replica: this.replica,
        sealed: to.sealed,
        asked: sealQuestion(asked, call.line.sealer),
        issuedAt,
        expiresAt: issuedAt + Math.min(asked.withinMs, this.pace.openMs),
      },
      keys,
    )
    this.calls.set(call.line.name, call)
    to.session.add(call)
    this.pulse.start()
    let became: string | undefined
    try {
      const used = [fleet.keys.lease(to.dock), fleet.keys.calls(to.dock), this.frames]
      const lives = [this.pace.callsMs, this.pace.framesMs]
      ;[became] = (await this.redis.run(used, [to.incarnation, body, sig, ...lives, waitingEntries])) as [string]
    } finally {
      const isSent = became === 'opened' || became === 'first'
      if (!isSent) call.fail(unreachable(to.dock))
      // Where Redis did not answer it may have been.
      call.wasSent(isSent || became === undefined)
    }
    if (became === 'first') this.missed(call)
    if (became === 'unreachable') throw unreachable(to.dock)
    if (became === 'full') throw full(to.dock)
    if (became === 'replaced') await this.sessions.forget(to)
    // Whoever has left meanwhile waits for it no more.
    if (leaving.error) call.fail(leaving.error)
    return became === 'replaced' ? undefined : call
  }

  private receive(fields: Fields): void {
    const frame = valuesOf(fields)
    const name = lineOf(frame)
    const call = this.calls.get(name)
    if (call) return call.receive(frame)
    try {
      this.sessions.byName(name)?.told(frame)
    } catch (error) {
      this.options.onError(error as Error)
    }
  }

  /** Keeps what is read alive, and what docks are to read. */
  private async renew(): Promise<void> {
    const { redis, keys } = this.options.fleet
    const docks = [...this.sessions.busy()].map(({ dock }) => dock)
    const renewed = redis.pipeline().pexpire(this.frames, this.pace.framesMs)
    for (const dock of docks) renewed.pexpire(keys.calls(dock), this.pace.callsMs)
    const [first] = (await renewed.exec()) ?? []
    if (first?.[0]) throw first[0]
    if (first?.[1] === 0) this.missed()
  }

  /** The stream of frames is not the one that was there: what it held is missing. */
  private missed(fresh?: AskedCall): void {
    this.reader.restart()
    for (const call of this.calls.values()) {
      if (call !== fresh && call.line.opener.count > 0) call.fail(broken('all frames', 'their stream to be gone'))
    }
  }
}

const stopping = (): DebloxError => broken('an API that takes calls', 'one that stops')

const full = (dock: string): DebloxError =>
  new DebloxError('dock_unreachable', `dock: expected ${dock} to take what it is asked, got more than it takes`)
