import type { ObjectKind } from '@deblox/fleet/objects'
import type { StateReads } from '@deblox/fleet/state-reads'

interface Glanced {
  /** Until when the lease lasts unless it is renewed or given back, by this process's monotonic clock in milliseconds. */
  until: number
  listedMs: Record<ObjectKind, number | null>
}

/** A lease that may end before an answer is given is looked at once more, in milliseconds. */
const marginMs = 250

/** Which docks are registered, whose worker lives, and when each was last listed in full. */
export class Leases {
  private docks: ReadonlyMap<string, Glanced> = new Map()

  constructor(private readonly reads: Pick<StateReads, 'glance' | 'countLeased'>) {}

  get hostnames(): string[] {
    return [...this.docks.keys()]
  }

  /** Whether the dock's lease is held, as far as is known. */
  isLive(hostname: string): boolean {
    return (this.docks.get(hostname)?.until ?? 0) > performance.now()
  }

  /** When all of a kind were last listed on that dock, in ISO 8601; null if never. */
  listedAt(hostname: string, kind: ObjectKind): string | null {
    return isoTime(this.docks.get(hostname)?.listedMs[kind] ?? null)
  }

  /** Looks at all docks. */
  async look(): Promise<void> {
    // As if Redis had answered at once: nothing is taken to last for longer than it does.
    const now = performance.now()
    const glances = await this.reads.glance()
    this.docks = new Map(
      glances.map(({ hostname, leaseMs, listedMs }) => [hostname, { until: now + leaseMs, listedMs }]),
    )
  }

  /** Sees to it that what is known of these is so at this moment: all are looked at again where a lease has come or gone since. */
  async confirm(hostnames: Iterable<string>): Promise<void> {
    const soon = performance.now() + marginMs
    const all = [...new Set(hostnames)]
    const live = all.filter((hostname) => this.isLive(hostname))
    const dead = all.filter((hostname) => !this.isLive(hostname))
    const [held, taken] = await Promise.all([this.reads.countLeased(live), this.reads.countLeased(dead)])
    const mayEnd = live.some((hostname) => (this.docks.get(hostname)?.until ?? 0) < soon)
    if (mayEnd || held !== live.length || taken !== 0) await this.look()
  }
}

const isoTime = (ms: number | null): string | null => {
  const time = new Date(ms ?? Number.NaN)
  return Number.isNaN(time.getTime()) ? null : time.toISOString()
}
