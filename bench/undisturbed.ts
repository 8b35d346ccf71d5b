import { setTimeout as pause } from 'node:timers/promises'
import type { Setting } from './setting'

/** How long the worker gets to see what happened while it was frozen, in milliseconds. */
const settleMs = { short: 30, long: 1_500 }

/**
 * Does something past the fleet with the worker frozen: it watches the engine, and what it asks the engine on that
 * account would make the direct way look slower than it is where there is no worker. Shorter than the worker's lease.
 */
export async function undisturbed<T>(
  { worker }: Setting,
  settle: keyof typeof settleMs,
  task: () => Promise<T>,
): Promise<T> {
  await worker.pause()
  try {
    return await task()
  } finally {
    worker.resume()
    await pause(settleMs[settle])
  }
}
