import type { ActionResult } from './define-action'
import { dockerStatus } from './docker-status'

/**
 * Waits for a call that Docker answers without a body. A 304 (start of a running container, stop of a stopped one) is
 * the wanted state, though dockerode throws it; the status is passed on as the daemon gave it.
 */
export async function alreadyDone(call: Promise<unknown>): Promise<ActionResult> {
  try {
    await call
    return { statusCode: 204 }
  } catch (error) {
    if (dockerStatus(error) === 304) return { statusCode: 304 }
    throw error
  }
}
