import { containerRow, withTrueOwner } from '@deblox/actions/container-row'
import { DeadlineError, withDeadline } from '@deblox/actions/deadline'
import { difference, type FleetIndex, type IndexedRow } from '@deblox/fleet/index'
import type Docker from 'dockerode'
import { coalesce } from './coalesce'
import type { Gate } from './gate'
import { Limit } from './limit'
import type { Owners } from './owners'

/** Docker takes ids in the URL: beyond so many a full list is the smaller request. */
const maxIdsInQuery = 50

const listMs = 20_000
const settleMs = 1_000

/** So many containers are looked at side by side, and so many are kept in mind until they are: beyond that all are listed. */
const maxAtOnce = 50
const maxDirty = 5_000

/** Changes within so long are looked at together, in milliseconds: a start alone makes several events. */
const soonMs = 50

/** Keeps the containers of the index: looks at those that are said to have changed, and at all of them where that is not enough. */
export class WatchedContainers {
  private readonly dirty = new Set<string>()
  private labels = new Map<string, Record<string, string>>()
  private wholeList = true
  private soon: NodeJS.Timeout | undefined
  private readonly pass: () => Promise<void>

  constructor(
    private readonly docker: Docker,
    private readonly index: FleetIndex,
    private readonly hostname: string,
    private readonly owners: Pick<Owners, 'ownerOf' | 'givenAway' | 'forget'>,
    private readonly daemon: Gate,
    private readonly stopping: AbortSignal,
    private readonly missed: (error: unknown) => void,
  ) {
    this.pass = coalesce(() => this.bringUpToDate())
    stopping.addEventListener('abort', () => clearTimeout(this.soon))
  }

  /** The labels of a container that was listed: they never change. */
  labelsOf(id: string): Record<string, string> | undefined {
    return this.labels.get(id)
  }

  /** Looks at one container and writes what is seen. Resolves when the index says so; never rejects. */
  async refresh(id: string): Promise<void> {
    this.dirty.add(id)
    await this.pass().catch((error: unknown) => this.missed(error))
  }

  /** Looks at one container soon: not at once, because whoever caused a change is being answered just then. */
  touch(id: string): void {
    if (this.dirty.size < maxDirty) this.dirty.add(id)
    else this.wholeList = true
    this.passIn(soonMs)
  }

  /** Lists all containers and repairs the index. Never rejects. */
  async listAll(): Promise<void> {
    this.wholeList = true
    await this.pass().catch((error: unknown) => this.missed(error))
  }

  /** Looks at what there is to look at in so many milliseconds. */
  passIn(ms: number): void {
    this.soon ??= setTimeout(() => {
      this.soon = undefined
      void this.pass().catch((error: unknown) => this.missed(error))
    }, ms)
  }

  private async bringUpToDate(): Promise<void> {
    const ids = [...this.dirty]
    const whole = this.wholeList || ids.length > maxIdsInQuery
    this.dirty.clear()
    this.wholeList = false
    try {
      const turns = new Limit(maxAtOnce)
      await Promise.all(ids.map((id) => turns.run(() => this.settled(id))))
      await (whole ? this.writeAll() : this.writeSome(ids))
    } catch (error) {
      this.wholeList = true
      throw error
    }
  }

  private async writeAll(): Promise<void> {
    const listed = await this.list()
    const { index, hostname } = this
    const { changed, gone } = difference(await index.rows(hostname), listed, await index.idsOf(hostname))
    this.labels = new Map(listed.map((row) => [row.id, row.labels]))
    await index.write(hostname, changed, gone, true)
  }

  private async writeSome(ids: string[]): Promise<void> {
    if (ids.length === 0) return
    const rows = await this.list(ids)
    const found = new Set(rows.map(({ id }) => id))
    const gone = ids.filter((id) => !found.has(id))
    for (const { id, labels } of rows) this.labels.set(id, labels)
    for (const id of gone) this.labels.delete(id)
    await this.index.write(this.hostname, rows, gone)
  }

  /**
   * Docker tells of a pause or an end, and answers a stop, before its lists show it. An inspect is answered only after
   * that, as it waits for the container's lock. One that cannot be had says nothing: the list decides.
   */
  private async settled(id: string): Promise<void> {
    const inspect = (abortSignal: AbortSignal) => this.docker.getContainer(id).inspect({ abortSignal })
    await withDeadline(settleMs, this.stopping, inspect).catch(() => undefined)
  }

  private async list(ids?: string[]): Promise<IndexedRow[]> {
    const filters = ids ? { filters: { id: ids } } : {}
    // One that is given away while the daemon lists may have come after.
    const givenAway = this.owners.givenAway()
    const listed: unknown = await withDeadline(listMs, this.stopping, (signal) =>
      this.docker.listContainers({ all: true, ...filters, abortSignal: signal }),
    ).catch((error: unknown) => {
      // It may answer pings nevertheless: whoever opens this again has it do some real work first.
      if (error instanceof DeadlineError) this.daemon.set(false)
      throw error
    })
    // docker-modem passes a body that is cut short on as a Buffer: nothing may be deleted on that account.
    if (!Array.isArray(listed)) throw new Error('expected a list of containers from the daemon, got something else')
    const observedAt = new Date().toISOString()
    const rows = (listed as Docker.ContainerInfo[]).map((info) => ({
      ...containerRow(withTrueOwner(info, this.owners), this.hostname),
      observedAt,
    }))
    if (!ids) {
      const there = new Set(rows.map(({ id }) => id))
      await this.owners.forget(givenAway.filter((id) => !there.has(id)))
    }
    return rows
  }
}
