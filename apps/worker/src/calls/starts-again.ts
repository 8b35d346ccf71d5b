import { dockerStatus } from '@deblox/actions/docker-status'
import { DebloxError } from '@deblox/actions/errors'
import type { CallContext } from './context'
import { inspected } from './inspected'
import { lines } from './lines'

/** No event is near this long, in bytes. */
const maxEvent = 1024 * 1024

/**
 * Waits until a container runs again: true then, at once where it does, and false when it is removed. Where it has to be waited
 * for `stopped` is called first.
 */
export async function startsAgain(
  id: string,
  context: CallContext,
  signal: AbortSignal,
  stopped: () => Promise<void>,
): Promise<boolean> {
  const filters = JSON.stringify({ type: ['container'], container: [id], event: ['start', 'destroy'] })
  const events = await context.streams.open({ method: 'GET', path: '/events', query: { filters } }, signal)
  try {
    // Only now: a start between a look and the first event would be missed.
    const now = await stateOf(id, context, signal)
    if (now !== 'stopped') return now === 'running'
    await stopped()
    for await (const line of lines(events, maxEvent)) {
      const action = actionIn(line)
      if (action === 'start' || action === 'destroy') return action === 'start'
    }
  } finally {
    events.destroy()
  }
  throw new DebloxError('stream_broken', 'expected the event stream to go on, but the daemon ended it')
}

async function stateOf(id: string, context: CallContext, signal: AbortSignal): Promise<'running' | 'stopped' | 'gone'> {
  try {
    const { State } = await inspected(id, context, signal)
    // One that is to be restarted counts as running for Docker, and has no log to follow yet.
    return State.Running && !State.Restarting ? 'running' : 'stopped'
  } catch (error) {
    if (dockerStatus(error) === 404) return 'gone'
    throw error
  }
}

function actionIn(line: Buffer): unknown {
  try {
    return (JSON.parse(line.toString()) as { Action?: unknown } | null)?.Action
  } catch {
    throw new DebloxError('docker_error', 'expected events from the daemon, got something else')
  }
}
