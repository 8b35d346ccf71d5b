import { type WaitParams, waitContainer as kind } from '@deblox/actions/calls/kinds'
import { DebloxError } from '@deblox/actions/errors'
import type { Answers } from './answerers'
import { textOf } from './text-of'

/** Waits until the container has come to its condition; ends with `{exitCode, error}`, where `error` is null or Docker's words. */
export const waitContainer: Answers<WaitParams> = {
  kind,
  writes: () => false,
  async answer({ params: { id, condition }, call, context, signal }) {
    const path = `/containers/${id}/wait`
    const answer = await context.streams.open({ method: 'POST', path, query: { condition }, reads: true }, signal)
    // Docker answers at once that it waits, and later what came of it.
    await call.begin()
    return ended(await textOf(answer))
  },
}

function ended(text: string): { exitCode: number; error: string | null } {
  const { StatusCode, Error: failure } = parsed(text) as { StatusCode?: unknown; Error?: { Message?: unknown } | null }
  if (typeof StatusCode !== 'number') {
    throw new DebloxError('docker_error', 'expected an exit code from the daemon, got something else')
  }
  return { exitCode: StatusCode, error: typeof failure?.Message === 'string' ? failure.Message : null }
}

function parsed(text: string): object {
  try {
    return (JSON.parse(text) as object | null) ?? {}
  } catch {
    return {}
  }
}
