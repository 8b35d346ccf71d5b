/** Something that is open or shut, and that can be waited for. */
export class Gate {
  private waiting: (() => void)[] = []
  private listeners: ((open: boolean) => void)[] = []

  constructor(private open = false) {}

  isOpen(): boolean {
    return this.open
  }

  onChange(listener: (open: boolean) => void): void {
    this.listeners.push(listener)
  }

  set(open: boolean): void {
    if (open === this.open) return
    this.open = open
    for (const tell of this.listeners) tell(open)
    if (!open) return
    for (const go of this.waiting.splice(0)) go()
  }

  /** Resolves when the gate is open, or rejects with the signal's reason. */
  async passed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.open) return
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const abort = () => {
        this.waiting = this.waiting.filter((other) => other !== go)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', abort, { once: true })
      this.waiting.push(go)
    })
  }
}
