import { setTimeout as wait } from 'node:timers/promises'
import { DebloxError } from '@deblox/actions/errors'
import type { JobError } from '@deblox/fleet/job'
import { asFailure } from '../errors'
import { untilAborted } from './opened'
import { CallerLeft, type Outgoing } from './outgoing'

/** How an answer of several pieces tells of itself. */
export interface Form {
  readonly headers: Record<string, string>
  /** What is said where there was nothing to say for a while; nothing where nothing can be said. */
  readonly idle: string
  /** What is said where it fails; nothing where it can only be cut short. */
  failed(failure: JobError): string
  /** What is said at its end. */
  ended(): string
}

/** Resolves when there is room for more. */
export type Say = (text: Buffer | string) => Promise<void>

/** So often something is said where nothing happens, so that both ends see that the other is there, in milliseconds. */
const keepAliveMs = 15_000

/** Whoever has not taken by then why it fails is left, in milliseconds. */
const lastWordsMs = 5_000

/**
 * Writes an answer in its form until the signal aborts. A failure is told in that form; where it has no words for it, it is
 * thrown: the answer is cut short then, which is how HTTP tells of it.
 */
export async function speak(
  out: Outgoing,
  form: Pick<Form, 'idle' | 'failed' | 'ended'>,
  signal: AbortSignal,
  write: (say: Say) => Promise<void>,
): Promise<void> {
  let said = performance.now()
  let saying = Promise.resolve()
  const say: Say = (text) => {
    said = performance.now()
    // Several may speak: one piece goes after the other, and all wait while nobody takes them.
    saying = saying.then(() => out.write(text))
    return saying
  }
  const idle = async (): Promise<void> => {
    if (performance.now() - said >= keepAliveMs) await say(form.idle)
  }
  // That he has left is told by what is said next.
  const timer = form.idle === '' ? undefined : setInterval(() => void idle().catch(() => undefined), keepAliveMs / 3)
  try {
    await write((text) => untilAborted(signal, say(text)))
    await say(form.ended())
  } catch (error) {
    const words = error instanceof CallerLeft ? '' : form.failed(asFailure(error))
    if (words === '') throw error
    await untilAborted(AbortSignal.timeout(lastWordsMs), say(words))
    if (error instanceof DebloxError) return
    // What nobody has foreseen belongs in the log. That cuts the connection: what was said must be on its way.
    for (let n = 0; out.buffered > 0 && n < lastWordsMs; n++) await wait(1)
    throw error
  } finally {
    clearInterval(timer)
  }
}
