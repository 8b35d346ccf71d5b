import { randomBytes } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import type { FleetKeys } from '../names'
import type { RedisClient } from '../redis'
import { sealSession } from '../signing/seal'
import type { SealPins } from '../signing/seal-pins'
import type { Outbox } from './outbox'
import { Session } from './session'

/** A session is not used for new calls after so long, in milliseconds. */
const lifeMs = 60 * 60_000

/** An API replica's end of its calls to one run of a dock's worker. */
export interface DockSession {
  session: Session
  dock: string
  incarnation: string
  /** Its secret, as only the dock can read it. */
  sealed: string
  /** As base64url. */
  id: string
  /** Another one is used for new calls. */
  superseded: boolean
}

interface SessionsOptions {
  redis: RedisClient
  keys: FleetKeys
  replica: string
  pins: SealPins
  outbox: Outbox
}

/** An API replica's sessions, made when they are needed: only the first call to a dock pays for it. */
export class DockSessions {
  private readonly current = new Map<string, { made: Promise<DockSession>; at: number }>()
  private readonly all = new Map<string, DockSession>()

  constructor(private readonly options: SessionsOptions) {}

  /** Throws `dock_unreachable` where no worker holds the dock's lease, `dock_replaced` where its key is not the one that it had. */
  to(dock: string): Promise<DockSession> {
    const known = this.current.get(dock)
    if (known && performance.now() - known.at < lifeMs) return known.made
    if (known) this.supersede(known.made)
    const made = this.make(dock)
    this.current.set(dock, { made, at: performance.now() })
    made.catch(() => {
      if (this.current.get(dock)?.made === made) this.current.delete(dock)
    })
    return made
  }

  /** Another run of the worker holds the lease. */
  async forget({ dock, session }: DockSession): Promise<void> {
    const known = this.current.get(dock)
    const latest = await known?.made.catch(() => undefined)
    if (latest?.session !== session || this.current.get(dock) !== known) return
    this.current.delete(dock)
    latest.superseded = true
  }

  byName(name: string): Session | undefined {
    return this.all.get(name)?.session
  }

  /** Those with calls. What is neither in use nor of use any more is forgotten. */
  *busy(): Iterable<DockSession> {
    for (const [name, one] of this.all) {
      if (one.session.members.size > 0) yield one
      else if (one.superseded) this.all.delete(name)
    }
  }

  private supersede(made: Promise<DockSession>): void {
    void made.then(
      (one) => (one.superseded = true),
      () => undefined,
    )
  }

  private async make(dock: string): Promise<DockSession> {
    const { redis, keys, replica, pins, outbox } = this.options
    const incarnation = await redis.get(keys.lease(dock))
    if (incarnation === null) throw unreachable(dock)
    const key = await pins.keyOf(dock).catch((error: unknown) => {
      if (error instanceof DebloxError && error.code === 'no_dock_ready') throw unreachable(dock, error)
      throw error
    })
    const [id, secret] = [randomBytes(16), randomBytes(32)]
    const sealed = await sealSession(secret, { replica, dock, incarnation }, key)
    const session = new Session({ id, secret, end: 'api', stream: keys.calls(dock), outbox })
    const made = { session, dock, incarnation, sealed, id: id.toString('base64url'), superseded: false }
    this.all.set(session.name, made)
    return made
  }
}

export const unreachable = (dock: string, cause?: unknown): DebloxError =>
  new DebloxError('dock_unreachable', `dock: expected a worker that acts for ${dock}, got none`, { cause })
