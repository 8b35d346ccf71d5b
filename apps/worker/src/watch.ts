import { setMaxListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { withDeadline } from '@deblox/actions/deadline'
import type { FleetIndex, ListedKind } from '@deblox/fleet/index'
import { times } from '@deblox/fleet/names'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import type { Gate } from './gate'
import type { Owners } from './owners'
import { WatchedContainers } from './watch-containers'
import { eventFilters, told } from './watch-events'
import { listedKinds, WatchedList } from './watch-lists'

const openMs = 5_000
const retryMs = 500

/** Keeps the fleet index true to this dock's daemon: by its events, and by full lists whenever one may be missing. */
export class Watch {
  private readonly stopping = new AbortController()
  private readonly containers: WatchedContainers
  private readonly lists: ReadonlyMap<ListedKind, WatchedList<ListedKind>>
  private loops: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly docker: Docker,
    index: FleetIndex,
    hostname: string,
    owners: Pick<Owners, 'ownerOf' | 'givenAway' | 'forget'>,
    private readonly daemon: Gate,
    private readonly log: Logger,
    private readonly alongside: () => Promise<void> = async () => {},
  ) {
    const { signal } = this.stopping
    // Every container that is looked at listens for the end.
    setMaxListeners(0, signal)
    const missed = (error: unknown) => this.missed(error)
    this.containers = new WatchedContainers(docker, index, hostname, owners, daemon, signal, missed)
    this.lists = new Map(
      listedKinds.map((kind) => {
        const notListed = (error: unknown) => this.notListed(kind, error)
        return [kind, new WatchedList(kind, docker, index, hostname, signal, notListed)]
      }),
    )
  }

  /** Follows events and lists in full every 20 s until stopped. */
  start(): void {
    // A daemon that hung may go on with the same event stream, and with lists that were missed.
    this.daemon.onChange((open) => {
      if (open && !this.stopping.signal.aborted) void this.listAll()
    })
    this.loops = Promise.all([this.followForEver(), this.listForEver()])
  }

  async stop(): Promise<void> {
    this.stopping.abort(new Error('the worker stops'))
    await this.loops
    await Promise.all([...this.lists.values()].map((list) => list.ended()))
  }

  /** Looks at one container and writes what is seen. Resolves when the index says so; never rejects. */
  refresh(id: string): Promise<void> {
    return this.containers.refresh(id)
  }

  /** Looks at one container soon: not at once, because whoever caused a change is being answered just then. */
  touch(id: string): void {
    this.containers.touch(id)
  }

  /** The labels of a container that was listed: they never change. */
  labelsOf(id: string): Record<string, string> | undefined {
    return this.containers.labelsOf(id)
  }

  /** Lists all containers and repairs the index, and has all else listed soon. Never rejects. */
  async listAll(): Promise<void> {
    for (const list of this.lists.values()) list.touch()
    await this.containers.listAll()
  }

  private async followForEver(): Promise<void> {
    await this.untilStopped(async (signal) => {
      await this.daemon.passed(signal)
      await this.follow(signal)
    })
  }

  private async listForEver(): Promise<void> {
    await this.untilStopped(async (signal) => {
      await wait(times.fullList, undefined, { signal })
      await this.daemon.passed(signal)
      await this.listAll()
      await this.alongside()
    })
  }

  private async untilStopped(round: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      try {
        await round(signal)
      } catch (error) {
        if (signal.aborted) return
        this.missed(error)
        await wait(retryMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  /** Reads one event stream to its end. What happened before it was open is caught by a full list right after. */
  private async follow(signal: AbortSignal): Promise<void> {
    const stream = (await withDeadline(openMs, signal, (abortSignal) =>
      this.docker.getEvents({ filters: eventFilters, abortSignal }),
    )) as NodeJS.ReadableStream & AsyncIterable<Buffer> & { destroy(): void }
    const stop = () => stream.destroy()
    signal.addEventListener('abort', stop)
    try {
      void this.listAll()
      for await (const what of told(stream)) {
        if (what.kind === 'container') this.touch(what.id)
        else this.lists.get(what.kind)?.touch()
      }
    } finally {
      signal.removeEventListener('abort', stop)
      stream.destroy()
    }
    throw new Error('expected the event stream to go on, but the daemon ended it')
  }

  private missed(error: unknown): void {
    if (this.stopping.signal.aborted) return
    this.log.warn({ err: error }, 'the index may lag behind the daemon; listing again')
    // A daemon that is away is listed when its next event stream opens.
    if (this.daemon.isOpen()) this.containers.passIn(retryMs)
  }

  /** Not at once again: a daemon may have no such list at all. */
  private notListed(kind: ListedKind, error: unknown): void {
    if (this.stopping.signal.aborted) return
    this.log.warn({ err: error, kind }, 'could not be listed; trying again with the next full list')
  }
}
