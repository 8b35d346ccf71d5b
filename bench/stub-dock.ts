import { join } from 'node:path'
import { answerCalls } from '@deblox/fleet/calls/answers'
import type { Fleet } from '@deblox/fleet/fleet'
import { newJobId } from '@deblox/fleet/job'
import { openApiKeys } from '@deblox/fleet/signing/api-keys'
import { trustIn } from '@deblox/fleet/signing/trust'
import { readSealKey } from '../apps/worker/src/seal-key'
import { stateFolder } from '../test/support/run-folder'
import { indexRow } from './rows'

export interface StubDockOptions {
  fleet: Fleet
  url: string
  /** Containers that it says it has. */
  each: number
}

const facts = {
  engineVersion: '20.10.24',
  apiVersion: '1.41',
  os: 'none: a stand-in',
  cpus: 8,
  memory: 2 ** 34,
}

const at = { createdAt: '2026-01-01T00:00:00.000Z', observedAt: '2026-01-01T00:00:00.000Z' }

/** What a worker without an engine writes to Redis. */
export class StubDock {
  readonly hostname: string
  /** Its worker is dead: the lease runs out. */
  dead = false
  private readonly incarnation = newJobId()
  private joined = false

  constructor(
    readonly number: number,
    private readonly options: StubDockOptions,
  ) {
    this.hostname = `dock-${String(number).padStart(4, '0')}.example.com`
  }

  /** Takes its lease, registers, and writes all that it has. */
  async join(): Promise<void> {
    const { number, hostname: dock } = this
    const { fleet, each } = this.options
    await this.takeLease()
    await fleet.docks.register(dock)
    await this.beat()
    const { public: seal } = await this.sealKey()
    await fleet.docks.describe(dock, facts, seal)
    const containers = Array.from({ length: each }, (_, n) => indexRow(dock, number * each + n))
    await fleet.index.write(dock, containers, [], true)
    const images = ['a', 'b'].map((name) => ({
      id: `sha256:${name.repeat(64)}`,
      dock,
      tags: [`registry.example.com/team/${name}:2026-11-01`],
      digests: [],
      size: 50_000_000,
      ...at,
    }))
    await fleet.index.settle('image', dock, images)
    await fleet.index.settle('volume', dock, [
      { name: 'data', dock, driver: 'local', scope: 'local', labels: {}, ...at },
    ])
    const networks = ['bridge', 'host', 'none'].map((name, n) => ({
      id: String(n).padEnd(64, name === 'bridge' ? 'b' : 'e'),
      name,
      dock,
      driver: name,
      scope: 'local',
      internal: false,
      labels: {},
      ...at,
    }))
    await fleet.index.settle('network', dock, networks)
    this.joined = true
  }

  async beat(): Promise<void> {
    if (this.dead) return
    const { held } = await this.options.fleet.docks.heartbeat(this.hostname, this.incarnation, 'ok')
    // It was dead for a while.
    if (!held && this.joined) await this.takeLease()
  }

  /** Writes a full list in which nothing has changed: it is compared with all that is there, as a worker does. */
  async list(): Promise<void> {
    if (this.dead || !this.joined) return
    const { redis, keys, index } = this.options.fleet
    const containers = keys.containers(this.hostname)
    await Promise.all([redis.hgetall(containers), redis.hkeys(containers)])
    await index.write(this.hostname, [], [], true)
  }

  /** Answers calls from now on, as a worker beside an engine that needs no time. */
  async answer(): Promise<void> {
    const { fleet, url } = this.options
    const { hostname } = this
    const envelope = {
      Date: new Date().toUTCString(),
      Response: { Body: { Id: indexRow(hostname, 0).id, State: { Status: 'running' } } },
      dockerInstance: hostname,
      statusCode: 200,
    }
    const { vouch } = trustIn(await openApiKeys(join(stateFolder(), 'api-keys.json')))
    answerCalls({
      fleet,
      url,
      hostname,
      incarnation: this.incarnation,
      isHeld: () => !this.dead,
      vouch,
      sealKey: (await this.sealKey()).secret,
      answerers: new Map([['inspect-container', async () => ({ envelope })]]),
      onRefused: ({ code, message }) => process.stderr.write(`stub dock: refused ${code}: ${message}\n`),
      onError: (error) => process.stderr.write(`stub dock: ${String(error)}\n`),
    })
  }

  private async takeLease(): Promise<void> {
    await this.options.fleet.docks.acquireLease(this.hostname, this.incarnation)
  }

  /** One for all: nothing here rests on their being different. */
  private sealKey() {
    return readSealKey(stateFolder(), 'stub-docks', () => undefined)
  }
}
