import type { KeyObject } from 'node:crypto'
import type { FleetKeys } from '../names'
import { unsealSession } from '../signing/seal'
import type { Opening } from './opening'
import type { Outbox } from './outbox'
import { Session } from './session'

/** More than these are only kept while they have calls. */
const keptAtMost = 100

interface ReplicaSessionsOptions {
  hostname: string
  incarnation: string
  sealKey: KeyObject
  keys: FleetKeys
  outbox: Outbox
}

/** A dock's sessions with API replicas, by what they were opened with. */
export class ReplicaSessions {
  /** By the sealed secret, the one used last at the end. */
  private readonly sessions = new Map<string, Session>()
  private readonly names = new Map<string, Session>()

  constructor(private readonly options: ReplicaSessionsOptions) {}

  /** Throws `bad_signature` where its secret is not meant for this dock. */
  async of({ sealed, session: id, replica }: Opening): Promise<Session> {
    const session = this.sessions.get(sealed) ?? (await this.unsealed(sealed, id, replica))
    this.sessions.delete(sealed)
    this.sessions.set(sealed, session)
    this.names.set(session.name, session)
    this.forget()
    return session
  }

  byName(name: string): Session | undefined {
    return this.names.get(name)
  }

  all(): Iterable<Session> {
    return this.names.values()
  }

  private async unsealed(sealed: string, id: string, replica: string): Promise<Session> {
    const { hostname: dock, incarnation, sealKey, keys, outbox } = this.options
    const secret = await unsealSession(sealed, { replica, dock, incarnation }, sealKey)
    const stream = keys.frames(replica)
    return new Session({ id: Buffer.from(id, 'base64url'), secret, end: 'dock', stream, outbox })
  }

  private forget(): void {
    for (const [sealed, session] of this.sessions) {
      if (this.sessions.size <= keptAtMost) return
      if (session.members.size > 0) continue
      this.sessions.delete(sealed)
      this.names.delete(session.name)
    }
  }
}
