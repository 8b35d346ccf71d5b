import { setMaxListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { containerRow, withTrueOwner } from '@deblox/actions/container-row'
import { fullId } from '@deblox/actions/schemas'
import { difference, type FleetIndex, type IndexedRow } from '@deblox/fleet/index'
import { times } from '@deblox/fleet/names'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { coalesce } from './coalesce'
import { DeadlineError, withDeadline } from '@deblox/actions/deadline'
import type { Gate } from './gate'
import { Limit } from './limit'
import type { Owners } from './owners'

/** What changes a row. Others, such as exec_start of every health check, say nothing about it. */
const telling = ['create', 'start', 'die', 'destroy', 'rename', 'pause', 'unpause', 'update', 'oom', 'health_status']

/** Docker takes ids in the URL: beyond so many a full list is the smaller request. */
const maxIdsInQuery = 50

const listMs = 20_000
const settleMs = 1_000
const openMs = 5_000
const retryMs = 500

/** So many containers are looked at side by side, and so many are kept in mind until they are: beyond that all are listed. */
const maxAtOnce = 50
const maxDirty = 5_000

/** No event of Docker's is near this long, in characters: a longer line is none. */
const maxLineLength = 2 ** 20

/** Changes within so long are looked at together, in milliseconds: a start alone makes several events. */
const soonMs = 50

/** Keeps the fleet index true to this dock's daemon: by its events, and by full lists whenever one may be missing. */
export class Watch {
  private readonly dirty = new Set<string>()
  private labels = new Map<string, Record<string, string>>()
  private wholeList = true
  private soon: NodeJS.Timeout | undefined
  private readonly stopping = new AbortController()
  private readonly pass: () => Promise<void>
  private loops: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly docker: Docker,
    private readonly index: FleetIndex,
    private readonly hostname: string,
    private readonly owners: Pick<Owners, 'ownerOf' | 'givenAway' | 'forget'>,
    private readonly daemon: Gate,
    private readonly log: Logger,
    private readonly alongside: () => Promise<void> = async () => {},
  ) {
    this.pass = coalesce(() => this.bringUpToDate())
    // Every container that is looked at listens for the end.
    setMaxListeners(0, this.stopping.signal)
  }

  /** Follows events and lists in full every 30 s until stopped. */
  start(): void {
    // A daemon that hung may go on with the same event stream, and with lists that were missed.
    this.daemon.onChange((open) => {
      if (open && !this.stopping.signal.aborted) void this.listAll()
    })
    this.loops = Promise.all([this.followForEver(), this.listForEver()])
  }

  async stop(): Promise<void> {
    this.stopping.abort(new Error('the worker stops'))
    clearTimeout(this.soon)
    await this.loops
  }

  /** Looks at one container and writes what is seen. Resolves when the index says so; never rejects. */
  async refresh(id: string): Promise<void> {
    this.dirty.add(id)
    await this.pass().catch((error: unknown) => this.missed(error))
  }

  /** The labels of a container that was listed: they never change. */
  labelsOf(id: string): Record<string, string> | undefined {
    return this.labels.get(id)
  }

  /** Looks at one container soon: not at once, because whoever caused a change is being answered just then. */
  touch(id: string): void {
    if (this.dirty.size < maxDirty) this.dirty.add(id)
    else this.wholeList = true
    this.passIn(soonMs)
  }

  private passIn(ms: number): void {
    this.soon ??= setTimeout(() => {
      this.soon = undefined
      void this.pass().catch((error: unknown) => this.missed(error))
    }, ms)
  }

  /** Lists all containers and repairs the index. Never rejects. */
  async listAll(): Promise<void> {
    this.wholeList = true
    await this.pass().catch((error: unknown) => this.missed(error))
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
    await withDeadline(settleMs, this.stopping.signal, inspect).catch(() => undefined)
  }

  private async list(ids?: string[]): Promise<IndexedRow[]> {
    const filters = ids ? { filters: { id: ids } } : {}
    // One that is given away while the daemon lists may have come after.
    const givenAway = this.owners.givenAway()
    const listed: unknown = await withDeadline(listMs, this.stopping.signal, (signal) =>
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
    const filters = { type: ['container' as const], event: telling }
    const stream = (await withDeadline(openMs, signal, (abortSignal) =>
      this.docker.getEvents({ filters, abortSignal }),
    )) as NodeJS.ReadableStream & AsyncIterable<Buffer> & { destroy(): void }
    const stop = () => stream.destroy()
    signal.addEventListener('abort', stop)
    try {
      void this.listAll()
      for await (const id of containerIds(stream)) this.touch(id)
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
    if (this.daemon.isOpen()) this.passIn(retryMs)
  }
}

/** The container ids of Docker's event stream: a JSON document a line, cut anywhere. */
async function* containerIds(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxLineLength) throw new Error(`expected events of at most ${maxLineLength} characters`)
    for (const line of lines) {
      const id = idIn(JSON.parse(line))
      if (id !== undefined) yield id
    }
  }
}

/** The id that an event tells. Anything else would become part of a path on the daemon. */
function idIn(event: unknown): string | undefined {
  const { ID } = (event as { Actor?: { ID?: unknown } | null } | null)?.Actor ?? {}
  return typeof ID === 'string' && fullId.test(ID) ? ID : undefined
}
