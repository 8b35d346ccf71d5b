import { waitContainer, type WaitParams } from '@deblox/actions/calls/kinds'
import { DebloxError } from '@deblox/actions/errors'
import { containerId } from '@deblox/actions/schemas'
import Joi from 'joi'
import type { Answer, Caller, Route } from '../route'
import { hostnameField, type Meant, openFor, type StreamDesk, untilAborted, wholly } from '../streams/opened'

type Asked = Meant & Pick<WaitParams, 'condition'>

/** A dock gets so much longer than the caller to say that it waits, in milliseconds. */
const graceMs = 5_000

/** Waits for a container's end for as long as `Prefer: wait` says. */
export function waitRoute(desk: StreamDesk): Route {
  return {
    method: 'GET',
    path: '/v1/containers/:id/wait',
    permission: 'wait-container',
    tag: 'containers',
    summary: 'Wait for the end of a container',
    request: Joi.object({
      id: containerId.required(),
      ...hostnameField,
      condition: Joi.string()
        .valid('not-running', 'next-exit', 'removed')
        .default('not-running')
        .description('`not-running` (at once where it does not run), `next-exit` or `removed`'),
    }),
    answers: { 200: 'Its exit code', 202: 'It has not ended within the time that `Prefer: wait` gave: ask again' },
    handle: (fields, caller) => wholly(waited(desk, fields as unknown as Asked, caller)),
  }
}

async function waited(desk: StreamDesk, asked: Asked, caller: Caller): Promise<Answer> {
  const { waitMs } = caller.prefer
  const late = new AbortController()
  const notYet = new DebloxError('call_timeout', 'wait: expected its end, got none yet')
  const timer = setTimeout(() => late.abort(notYet), waitMs)
  try {
    const { condition } = asked
    const how = { within: waitMs + graceMs, until: late.signal }
    const { call, signal } = await openFor(desk, caller, waitContainer, asked, { condition }, how)
    const ended = (await untilAborted(signal, call.ended)) as { exitCode: number; error?: string | null }
    const { exitCode, error } = ended
    return { status: 200, body: { exitCode, ...(typeof error === 'string' && error !== '' && { error }) } }
  } catch (error) {
    if (error !== notYet) throw error
    return { status: 202, body: { exitCode: null } }
  } finally {
    clearTimeout(timer)
  }
}
