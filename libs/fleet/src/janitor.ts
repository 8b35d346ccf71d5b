import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Fleet } from './fleet'
import { dockTopic } from './names'
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
 * Sees to jobs that have nobody else to see to them: those beyond their deadline, those on the topics of docks that are dead
 * or were removed, and the halves of jobs that are to be undone. One replica of all does it at a time; that two did at a
 * change of hands would do no harm, because each step can be repeated.
 */
export class Janitor {
  private readonly id = randomUUID()
  private readonly stopping = new AbortController()
  private loop: Promise<void> = Promise.resolve()

  constructor(
    private readonly fleet: Fleet,
    private readonly log: Logger,
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
    if ((await runScript(redis, electScript, [keys.janitor], [this.id, termMs])) !== 1) return
    await this.expireDue()
    await this.rollBack()
    await this.leaveRemoved()
    await this.seeToDeadDocks()
  }

  private async forEver(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      await this.round().catch((error: unknown) => this.log.debug({ err: error }, 'a round failed; trying again'))
      await wait(roundMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  private async expireDue(): Promise<void> {
    const { redis, keys, endings } = this.fleet
    const [seconds] = await redis.time()
    const due = await redis.zrange(
      keys.deadlines,
      '-inf',
      String(Number(seconds) * 1000),
      'BYSCORE',
      'LIMIT',
      0,
      atOnce,
    )
    for (const id of due) await endings.expire(id)
  }

  private async rollBack(): Promise<void> {
    const { redis, keys, endings } = this.fleet
    for (const id of await redis.smembers(keys.rollbacks)) {
      if (await endings.rollBack(id)) await redis.srem(keys.rollbacks, id)
    }
  }

  private async leaveRemoved(): Promise<void> {
    const removed = await this.fleet.docks.removed()
    const leased = await this.fleet.docks.leasedOf(removed)
    for (const [n, hostname] of removed.entries()) {
      if (leased[n]) continue
      await freeStalled(this.fleet, dockTopic(hostname))
      await this.fleet.endings.leaveDock(hostname, true)
    }
  }

  private async seeToDeadDocks(): Promise<void> {
    const states = await this.fleet.docks.states()
    const others = [...states.values()].includes('ready')
    for (const [hostname, state] of states) {
      if (state !== 'unreachable') continue
      await freeStalled(this.fleet, dockTopic(hostname))
      // Where no other dock is ready, this one may as well be the first to come back.
      if (others) await this.fleet.endings.leaveDock(hostname, false)
    }
  }
}
