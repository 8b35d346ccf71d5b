import { withDeadline } from '@deblox/actions/deadline'
import { imageRow } from '@deblox/actions/image-row'
import { networkRow } from '@deblox/actions/network-row'
import { volumeRow } from '@deblox/actions/volume-row'
import type { FleetIndex, ListedKind } from '@deblox/fleet/index'
import type { IndexedObjects } from '@deblox/fleet/objects'
import type Docker from 'dockerode'
import { coalesce } from './coalesce'

/** What a daemon's answer to one list says. */
interface Listed<Kind extends ListedKind> {
  rows: Omit<IndexedObjects[Kind], 'observedAt'>[]
  /** Whether what is missing is gone. */
  complete: boolean
}

type Lists = {
  [Kind in ListedKind]: (docker: Docker, abortSignal: AbortSignal, hostname: string) => Promise<Listed<Kind>>
}

/** How each kind is listed. A further one is a line here, its row, and what tells of it in watch-events.ts. */
const lists: Lists = {
  async image(docker, abortSignal, hostname) {
    const images = listOf<Docker.ImageInfo>(await docker.listImages({ abortSignal }))
    return { rows: images.map((image) => withoutLabels(imageRow(image, hostname))), complete: true }
  },
  async volume(docker, abortSignal, hostname) {
    const { Volumes, Warnings } = (await docker.listVolumes({ abortSignal })) as {
      Volumes: unknown
      Warnings?: unknown
    }
    const volumes = listOf<Docker.VolumeInspectInfo>(Volumes)
    // Docker warns where a driver does not say what it has: its volumes are missing, and not gone.
    const complete = !Array.isArray(Warnings) || Warnings.length === 0
    return { rows: volumes.map((volume) => volumeRow(volume, hostname)), complete }
  },
  async network(docker, abortSignal, hostname) {
    const networks = listOf<Docker.NetworkInspectInfo>(await docker.listNetworks({ abortSignal }))
    return { rows: networks.map((network) => networkRow(network, hostname)), complete: true }
  },
}

export const listedKinds = Object.keys(lists) as ListedKind[]

const listMs = 20_000

/** Events of one kind within so long lead to one list, and lists are so far apart at least, in milliseconds. */
const soonMs = 50
const apartMs = 1_000

/** Keeps one kind in the index by listing all of it, soon after something tells of a change. */
export class WatchedList<Kind extends ListedKind> {
  private timer: NodeJS.Timeout | undefined
  private begun = -Infinity
  private running: Promise<void> = Promise.resolve()
  private readonly listOnce = coalesce(() => this.list())

  constructor(
    private readonly kind: Kind,
    private readonly docker: Docker,
    private readonly index: Pick<FleetIndex, 'settle'>,
    private readonly hostname: string,
    private readonly stopping: AbortSignal,
    private readonly missed: (error: unknown) => void,
  ) {}

  /** Lists soon, but no more than once a second: there may be a thousand events. */
  touch(): void {
    if (this.stopping.aborted) return
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined
        this.begun = performance.now()
        this.running = this.listOnce().catch((error: unknown) => this.missed(error))
      },
      Math.max(soonMs, this.begun + apartMs - performance.now()),
    )
  }

  /** To be called when `stopping` has aborted. Resolves when nothing is under way any more. */
  async ended(): Promise<void> {
    clearTimeout(this.timer)
    await this.running
  }

  private async list(): Promise<void> {
    const { kind, docker, hostname } = this
    const { rows, complete } = await withDeadline(listMs, this.stopping, (signal) =>
      lists[kind](docker, signal, hostname),
    )
    const observedAt = new Date().toISOString()
    const observed = rows.map((row) => ({ ...row, observedAt })) as IndexedObjects[Kind][]
    await this.index.settle(kind, hostname, observed, complete)
  }
}

/** docker-modem passes a body that is cut short on as a Buffer: nothing may be deleted on that account. */
function listOf<T>(listed: unknown): T[] {
  if (!Array.isArray(listed)) throw new Error('expected a list from the daemon, got something else')
  return listed as T[]
}

/** In an order of their own: nothing has changed where the daemon's is another one. */
function withoutLabels({ labels: _labels, ...row }: ReturnType<typeof imageRow>): Listed<'image'>['rows'][number] {
  return { ...row, tags: row.tags.toSorted(), digests: row.digests.toSorted() }
}
