import type { Layers } from '@deblox/actions/pull'
import { Limit } from './limit'
import { Progress, type PullProgress } from './pull-progress'

/** So many images are pulled at once on a dock: more would only share the line. */
const maxPulls = 4

/** Pulls an image, and says how far its layers are whenever Docker does. */
type PullImage = (signal: AbortSignal, onLayers?: (layers: Layers) => void) => Promise<void>

interface Pull {
  ended: Promise<void>
  progress: Progress
  waiters: number
  stop: AbortController
}

/** A dock's pulls: each image once at a time, however many jobs want it, and in a lane of their own. */
export class Pulls {
  private readonly lane = new Limit(maxPulls)
  private readonly underWay = new Map<string, Pull>()

  /** How many jobs wait for a pull now. */
  get waiters(): number {
    return [...this.underWay.values()].reduce((sum, { waiters }) => sum + waiters, 0)
  }

  /**
   * Joins the pull of this image, or begins it, and hears how far it is. Rejects when the signal aborts; the last one to leave
   * ends the pull.
   */
  async once(
    reference: string,
    signal: AbortSignal,
    pull: PullImage,
    onProgress: (progress: PullProgress) => void = () => {},
  ): Promise<void> {
    signal.throwIfAborted()
    const shared = this.underWay.get(reference) ?? this.begin(reference, pull)
    shared.waiters++
    let leave: () => void = () => {}
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason as Error)
    })
    signal.addEventListener('abort', leave, { once: true })
    const leaveProgress = shared.progress.join(onProgress)
    try {
      await Promise.race([shared.ended, left])
    } finally {
      signal.removeEventListener('abort', leave)
      leaveProgress()
      if (--shared.waiters === 0) {
        // Whoever comes now begins anew: this one is about to end.
        if (this.underWay.get(reference) === shared) this.underWay.delete(reference)
        shared.stop.abort(signal.reason)
      }
    }
  }

  private begin(reference: string, pull: PullImage): Pull {
    const stop = new AbortController()
    // Behind a blank may stand what keeps others from joining.
    const progress = new Progress(reference.split(' ', 1)[0] ?? '')
    const ended = this.lane.run(async () => {
      stop.signal.throwIfAborted()
      try {
        await pull(stop.signal, (layers) => progress.hear(layers))
      } finally {
        progress.end()
      }
    })
    const shared: Pull = { ended, progress, waiters: 0, stop }
    // Those who wait for it hear of its failure themselves.
    ended.catch(() => undefined)
    this.underWay.set(reference, shared)
    return shared
  }
}
