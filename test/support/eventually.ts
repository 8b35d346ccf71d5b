import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'

export interface Patience {
  /** Milliseconds after which to give up; 10 s unless told. */
  within?: number
  /** Milliseconds between two looks; 25 unless told. */
  every?: number
  /** What is waited for, in words, for the message of a failure. */
  what?: string
}

/** Thrown by what looks when waiting longer cannot help, e.g. because the process that is waited for has ended. */
export class Hopeless extends Error {}

/**
 * Looks until `accept` takes what `look` returned, and returns that. Without `accept`, the first look that neither throws
 * nor returns false will do, so that `look` may be a row of expectations. The only timer of the tests: nothing else waits for time.
 * @throws {Error} at the deadline, with the last value seen, or with the last error as its cause
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  accept: (value: T) => boolean = (value) => value !== false,
  { within = 10_000, every = 25, what = look.toString() }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + within
  for (;;) {
    const seen = await attempt(look)
    if ('value' in seen && accept(seen.value)) return seen.value
    if ('error' in seen && seen.error instanceof Hopeless) throw seen.error
    if (performance.now() >= deadline) throw gaveUp(what, within, seen)
    await pause(every)
  }
}

type Seen<T> = { value: T } | { error: unknown }

async function attempt<T>(look: () => T | Promise<T>): Promise<Seen<T>> {
  try {
    return { value: await look() }
  } catch (error) {
    return { error }
  }
}

function gaveUp<T>(what: string, within: number, seen: Seen<T>): Error {
  const message = `not within ${within} ms: ${what}`
  if ('error' in seen) return new Error(`${message}\nlast error: ${String(seen.error)}`, { cause: seen.error })
  return new Error(`${message}\nlast seen: ${inspect(seen.value, { depth: 6, breakLength: 120 })}`)
}
