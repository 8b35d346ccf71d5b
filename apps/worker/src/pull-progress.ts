import type { LayerProgress, Layers } from '@deblox/actions/pull'

/** How far a pull is, as it is told. */
export interface PullProgress {
  image: string
  layers: Record<string, LayerProgress>
}

type Listener = (progress: PullProgress) => void

/** It is told so often at the most, in milliseconds: Docker speaks of each layer ten times a second. */
const everyMs = 500

/** How far one pull is, told to all who wait for it. */
export class Progress {
  private readonly listeners = new Set<Listener>()
  private layers: Layers | undefined
  private isNew = false
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly image: string) {}

  /** Takes note of what Docker says; the layers may change until it is told. */
  hear(layers: Layers): void {
    this.layers = layers
    this.isNew = true
    if (this.timer === undefined) this.next()
  }

  /** Tells somebody, now of what is known already, until he leaves. */
  join(listener: Listener): () => void {
    this.listeners.add(listener)
    if (this.layers) listener(this.shown(this.layers))
    return () => void this.listeners.delete(listener)
  }

  /** Tells what has not been told. */
  end(): void {
    clearTimeout(this.timer)
    this.tell()
  }

  private next(): void {
    this.tell()
    this.timer = setTimeout(() => {
      this.timer = undefined
      if (this.isNew) this.next()
    }, everyMs).unref()
  }

  private tell(): void {
    if (!this.isNew || !this.layers) return
    this.isNew = false
    const progress = this.shown(this.layers)
    for (const listener of this.listeners) listener(progress)
  }

  private shown(layers: Layers): PullProgress {
    return { image: this.image, layers: Object.fromEntries(layers) }
  }
}
