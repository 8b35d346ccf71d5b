import type { TerminalSize } from '@deblox/actions/calls/kinds'
import { setTimeout as wait } from 'node:timers/promises'
import type { Answering } from '@deblox/fleet/calls/call'

/**
 * Docker lets go of a terminal where it reads these keys, ctrl-p ctrl-q unless told, and holds back the first of them. There is
 * no way to have none: so many of a rare one come neither from a keyboard nor in bytes that somebody sends.
 */
export const noDetachKeys = Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? 'ctrl-^' : 'ctrl-_')).join(',')

/** A process may not have its terminal yet when its connection stands. */
const firstTries = 10

/** Nobody waits longer than this for a size, in milliseconds. */
const firstMs = 2_000

const isSize = (value: unknown): value is TerminalSize => {
  const { cols, rows } = (value ?? {}) as Partial<Record<keyof TerminalSize, unknown>>
  return [cols, rows].every((count) => Number.isInteger(count) && (count as number) >= 1 && (count as number) <= 10_000)
}

/** Keeps a terminal as large as its caller says, one change after the other, of several the last. */
export class Resizes {
  private wanted: TerminalSize | undefined
  private running = false
  private ended = false

  /** Where sizes are not taken, `resize` is false: they are passed over. */
  constructor(
    private readonly resize: false | ((size: TerminalSize) => Promise<unknown>),
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Listens to its caller. Resolves when the terminal has its first size, or will not have it soon: what is typed then finds it
   * so.
   */
  async begin(size: TerminalSize | undefined, call: Answering): Promise<void> {
    call.onTold((message) => {
      const { resize } = (message ?? {}) as { resize?: unknown }
      if (isSize(resize)) void this.set({ cols: resize.cols, rows: resize.rows })
    })
    if (size && this.resize) await Promise.race([this.set(size), wait(firstMs, undefined, { ref: false })])
  }

  end(): void {
    this.ended = true
  }

  private async set(size: TerminalSize): Promise<void> {
    const { resize } = this
    if (!resize) return
    this.wanted = size
    if (!this.running) await this.run(resize)
  }

  /** Never rejects: a terminal that keeps its old size is no reason to end its session. */
  private async run(resize: (size: TerminalSize) => Promise<unknown>): Promise<void> {
    this.running = true
    for (let tries = 0; this.wanted && !this.ended;) {
      const size = this.wanted
      this.wanted = undefined
      try {
        await resize(size)
        tries = 0
      } catch {
        if (this.signal.aborted || ++tries >= firstTries) continue
        this.wanted ??= size
        await wait(20 * tries, undefined, { signal: this.signal }).catch(() => undefined)
      }
    }
    this.running = false
  }
}
