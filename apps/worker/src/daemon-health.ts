import { setMaxListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { Breaker } from './breaker'
import { troubleAtWork, troubleOf } from './docker'
import { Gate } from './gate'

/** Looks after the daemon: pings it while it is well, probes it while it is not, and tells when that changes. */
export class DaemonHealth {
  /** Open while the daemon answers. Whoever finds that it does not shuts it; it is opened here alone. */
  readonly gate = new Gate()
  private readonly breaker = new Breaker()
  private calls = new AbortController()
  /** What was told last; nothing before the first look. */
  private told: boolean | undefined
  private loop: Promise<void> = Promise.resolve()
  private endPause: () => void = () => {}

  constructor(
    private readonly docker: Docker,
    private readonly log: Logger,
    private readonly onChange: (healthy: boolean) => void,
  ) {
    this.calls.abort(notYet())
    this.gate.onChange((open) => {
      if (!open) this.failed('call', new Error('expected the daemon to be reached by a call; it was not'))
    })
  }

  /**
   * Aborts when the daemon stops answering, and so ends the wait for calls that it may never answer; whether these took
   * effect is not known then. Another one follows when it answers again.
   */
  get lost(): AbortSignal {
    return this.calls.signal
  }

  /** Looks once. Never rejects. */
  async check(): Promise<void> {
    // A daemon that was lost has to do some real work first: it may answer pings, and nothing else.
    const probing = this.breaker.probe()
    const trouble = await (probing ? troubleAtWork(this.docker) : troubleOf(this.docker))
    if (trouble !== undefined) this.failed('look', trouble)
    else if (probing) this.closed()
  }

  /** Looks again and again until the signal aborts; to be called once. */
  start(stopping: AbortSignal): void {
    this.loop = this.run(stopping)
  }

  /** Resolves when it looks no more. */
  async ended(): Promise<void> {
    await this.loop
  }

  private async run(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      const cutShort = await this.pause(stopping)
      if (!cutShort) await this.check()
    }
  }

  /** Tells whether it was cut short: by the end, or because the daemon was lost meanwhile and is to be probed sooner. */
  private async pause(stopping: AbortSignal): Promise<boolean> {
    const pause = new AbortController()
    const { signal } = pause
    this.endPause = () => pause.abort()
    stopping.addEventListener('abort', this.endPause, { signal })
    await wait(this.breaker.pauseMs, undefined, { signal }).catch(() => undefined)
    const cutShort = signal.aborted
    pause.abort()
    return cutShort
  }

  private closed(): void {
    this.breaker.succeeded()
    if (this.breaker.state !== 'closed') return
    this.calls = new AbortController()
    // Each call that is under way listens.
    setMaxListeners(0, this.calls.signal)
    this.tell(true)
  }

  private failed(by: 'look' | 'call', trouble: unknown): void {
    this.breaker.failed(by)
    if (this.breaker.state !== 'open') return
    this.calls.abort(new Error('expected the daemon to answer; it has stopped', { cause: trouble }))
    this.tell(false, trouble)
  }

  private tell(healthy: boolean, trouble?: unknown): void {
    // First, because shutting the gate comes back here.
    const isNews = this.told !== healthy
    this.told = healthy
    this.gate.set(healthy)
    if (!isNews) return
    if (!healthy) this.endPause()
    if (healthy) this.log.info('the daemon answers')
    else this.log.warn({ err: trouble }, 'the daemon does not answer; no work is taken until it does')
    this.onChange(healthy)
  }
}

const notYet = (): Error => new Error('expected the daemon to answer; it was not asked yet')
