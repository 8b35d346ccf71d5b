import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import { mendChanges } from './changes'
import { firstAccepted } from './cut-short'
import type { Fleet } from './fleet'
import { clusterTopic, dockTopic, times } from './names'
import { runScript, script } from './redis'
import { freeStalled } from './stalled'

/** Between two rounds, and how long a janitor that is not heard of keeps others from taking its place, in milliseconds. */
const roundMs = 1_000
const termMs = 5_000

/** Of many due jobs so many are seen to in a round. */
const atOnce = 200

const electScript = script(`
  local holder = redis.call('GET', KEYS[1])
  if holder and holder ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1`)

const resignScript = script(`
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`)

/**
 * Sees to jobs that have nobody else to see to them: those beyond their deadline, those that never came to their topics, those
 * on the topics of docks that are dead or were removed, and the halves of jobs that are to be undone. One replica of all does it
 * at a time; that two did at a change of hands would do no harm, because each step can be repeated.
 */
export class Janitor {
  private readonly id = randomUUID()
  private readonly stopping = new AbortController()
  private loop: Promise<void> = Promise.resolve()
  /** Where the next part of a dead dock's topic begins. */
  private readonly next = new Map<string, number>()
  /** The dead docks of which it was told that they are. */
  private readonly told = new Set<string>()
  /** Where the next part of the accepted jobs begins. What another janitor has looked at this one does not know. */
  private accepted = firstAccepted

  constructor(
    private readonly fleet: Fleet,
    private readonly log: Logger,
    /** What else is to be done in each round, by one replica at a time. */
    private readonly further: () => Promise<unknown> = async () => {},
  ) {}

  start(): void {
    this.loop = this.forEver()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.loop
    const { redis, keys } = this.fleet
    await runScript(redis, resignScript, [keys.janitor], [this.id]).catch(() => undefined)
  }

  /** One round, if it is this one's turn. */
  async round(): Promise<void> {
    const { redis, keys } = this.fleet
    if ((await runScript(redis, electScript, [keys.janitor], [this.id, termMs])) !== 1) return this.forget()
    await this.expireDue()
    await this.rollBack()
    await this.each(['cut short'], () => this.endCutShort())
    // Sooner than BullMQ's own check, which comes after the lock's end by as much as its interval.
    await this.each([clusterTopic], (topic) => freeStalled(this.fleet, topic))
    await this.leaveRemoved()
    await this.each(['handovers'], () => this.fleet.jobs.carryHandovers())
    await this.seeToDeadDocks()
    await this.each(['changes'], async () => {
      if (await mendChanges(redis, keys)) this.log.warn('the stream of changes was spoilt, and is begun anew')
    })
    await this.each(['further'], this.further)
  }

  /** What cannot be done for one, whatever the reason, must not keep the others from what can. */
  private async each<T>(all: Iterable<T>, see: (one: T) => Promise<unknown>): Promise<void> {
    for (const one of all) {
      await see(one).catch((error: unknown) => this.log.warn({ err: error, one }, 'could not be seen to; trying again'))
    }
  }

  /** Another one does it now: when it is this one's turn again, all that it knew may have changed. */
  private forget(): void {
    this.told.clear()
    this.accepted = firstAccepted
  }

  private async forEver(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      await this.round().catch((error: unknown) => this.log.debug({ err: error }, 'a round failed; trying again'))
      await wait(roundMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  private async expireDue(): Promise<void> {
    const { redis, keys, clock, endings } = this.fleet
    const due = await redis.zrange(keys.deadlines, '-inf', String(clock.now()), 'BYSCORE', 'LIMIT', 0, atOnce)
    await this.each(due, (id) => endings.expire(id))
  }

  private async endCutShort(): Promise<void> {
    const { jobs, clock } = this.fleet
    const { ended, next } = await jobs.endCutShort(this.accepted, clock.now())
    this.accepted = next
    if (ended > 0) this.log.warn({ slots: ended }, 'what was accepted had not come to its topics, and has failed')
  }

  private async rollBack(): Promise<void> {
    const { redis, keys, endings } = this.fleet
    await this.each(await redis.smembers(keys.rollbacks), async (id) => {
      if (await endings.rollBack(id)) await redis.srem(keys.rollbacks, id)
    })
  }

  private async leaveRemoved(): Promise<void> {
    const removed = await this.fleet.docks.removed()
    const leased = await this.fleet.docks.leasedOf(removed)
    const gone = removed.filter((_, n) => !leased[n])
    await this.each(gone, async (hostname) => {
      await this.fleet.docks.forget(hostname)
      await freeStalled(this.fleet, dockTopic(hostname))
      await this.leaveDock(hostname, true)
    })
    // What had been accepted for them is beyond its deadline by then, and nothing more was.
    await this.fleet.docks.forgetRemoved(this.fleet.clock.now() - times.deadline.change)
  }

  private async seeToDeadDocks(): Promise<void> {
    const states = await this.fleet.docks.states()
    const others = [...states.values()].includes('ready')
    const dead = [...states].flatMap(([hostname, state]) => (state === 'unreachable' ? hostname : []))
    for (const hostname of this.told) if (!dead.includes(hostname)) this.told.delete(hostname)
    const untold = dead.filter((hostname) => !this.told.has(hostname))
    await this.each(untold, async (hostname) => {
      await this.fleet.docks.tellLost(hostname)
      this.told.add(hostname)
    })
    await this.each(dead, async (hostname) => {
      await freeStalled(this.fleet, dockTopic(hostname))
      // Where no other dock is ready, this one may as well be the first to come back.
      if (others) await this.leaveDock(hostname, false)
    })
  }

  private async leaveDock(hostname: string, isRemoved: boolean): Promise<void> {
    const next = await this.fleet.endings.leaveDock(hostname, isRemoved, this.next.get(hostname))
    if (next === 0) this.next.delete(hostname)
    else this.next.set(hostname, next)
  }
}
