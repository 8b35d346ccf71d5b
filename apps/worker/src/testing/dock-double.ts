import { FleetClock } from '@deblox/fleet/clock'
import type { Fleet } from '@deblox/fleet/fleet'
import { times } from '@deblox/fleet/names'
import type Docker from 'dockerode'
import { pino } from 'pino'
import { eventually } from '../../../../test/support/eventually'
import { Dock, type DockEvents, type Machine } from '../dock'
import { Lease } from '../lease'

/** What the machine of a dock under test is known by. */
const machine: Machine = { identity: 'machine-a', seal: { kty: 'OKP', crv: 'X25519', x: 'x', kid: 'kid' } }

/** A double of what one dock sees of its fleet, in this process. Tests set its fields as others would change Redis. */
export class FleetOfDockDouble {
  holder: string | null = null
  registered = true
  drain = false
  epoch = 'first'
  since = 0
  uptimeMs = 3_600_000
  /** Other docks that are ready. */
  others: string[] = ['other']
  /** What heartbeats told of the daemon. */
  readonly told: string[] = []
  /** What the dock did for itself. */
  readonly published: string[] = []
  /** The incarnation that the registered dock's fields are of. */
  private known: string | null = null

  readonly fleet = {
    clock: new FleetClock(),
    docks: {
      acquireLease: async (_hostname: string, incarnation: string) => {
        if (this.holder === null) this.holder = incarnation
        return { acquired: this.holder === incarnation, heldForMs: times.lease }
      },
      heartbeat: async (_hostname: string, incarnation: string, daemon: string) => {
        const held = this.holder === incarnation
        const known = this.known === incarnation
        if (held) this.told.push(daemon)
        if (held && this.registered) this.known = incarnation
        const { registered, drain, epoch } = this
        return { held, registered, known, drain, redisMs: Date.now(), epoch: held ? epoch : null }
      },
      releaseLease: async (_hostname: string, incarnation: string) => {
        if (this.holder === incarnation) this.holder = null
      },
      identify: async () => ({ since: this.since, redisMs: Date.now() }),
      redisUptimeMs: async () => this.uptimeMs,
      takesContainers: async () => this.registered && !this.drain,
      register: async () => void this.published.push('register'),
      describe: async () => this.registered,
      noneIsReady: async () => this.others.length === 0,
    },
  } as unknown as Fleet
}

/** A double of the daemon: it answers, says that it fails, or takes what it is asked and never answers. */
export class DaemonDouble {
  does: 'answer' | 'fail' | 'hang' = 'answer'
  /** Whether it can do more than answer pings. */
  works = true
  asked: string[] = []

  readonly docker = {
    ping: () => this.reply('ping', true),
    listContainers: () => this.reply('list', this.works),
    info: () => this.reply('info', this.works, { NCPU: 2, MemTotal: 4, OperatingSystem: 'Debian' }),
    version: () => this.reply('version', this.works, { Version: '20.10.24', ApiVersion: '1.41' }),
  } as unknown as Docker

  private reply(what: string, can: boolean, answer: unknown = []): Promise<unknown> {
    this.asked.push(what)
    if (this.does === 'hang' || (this.does === 'answer' && !can)) return new Promise(() => {})
    if (this.does === 'fail')
      return Promise.reject(Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' }))
    return Promise.resolve(answer)
  }
}

/** A dock named `here` that has not started yet, on doubles of its fleet and its daemon. */
export function dockOnDoubles() {
  const fleet = new FleetOfDockDouble()
  const daemon = new DaemonDouble()
  const lease = new Lease(fleet.fleet.docks, 'here', 'mine')
  const events: { [event in keyof DockEvents]: jest.Mock } = {
    onReturned: jest.fn(async () => {}),
    onRejoined: jest.fn(),
    onReplaced: jest.fn(),
  }
  const dock = new Dock('here', machine, fleet.fleet, daemon.docker, lease, events, pino({ level: 'silent' }))
  return {
    fleet,
    daemon,
    lease,
    events,
    dock,
    gates: () => gatesOf(dock),
    gatesBecome: (own: boolean, cluster: boolean) => eventually(() => expect(gatesOf(dock)).toEqual({ own, cluster })),
    leave: async () => {
      dock.drain()
      await dock.leave()
    },
  }
}

export type DockOnDoubles = ReturnType<typeof dockOnDoubles>

const gatesOf = (dock: Dock) => ({ own: dock.work.isOpen(), cluster: dock.clusterWork.isOpen() })
