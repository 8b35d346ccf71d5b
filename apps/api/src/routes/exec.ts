import { execContainer, type ExecParams } from '@deblox/actions/calls/kinds'
import { env as envField, environment } from '@deblox/actions/container-spec'
import { DebloxError } from '@deblox/actions/errors'
import { expected } from '@deblox/actions/messages'
import { containerId } from '@deblox/actions/schemas'
import Joi from 'joi'
import type { Caller, Route } from '../route'
import { collect } from '../streams/collect'
import { hostnameField, type Meant, openFor, type StreamDesk, untilAborted, wholly } from '../streams/opened'

interface Asked extends Meant {
  cmd: string[]
  env?: Record<string, string> | string[]
  user?: string
  workdir?: string
  stdin?: string
  timeout: number
}

const argument = Joi.string()
  .allow('')
  .pattern(/^[^\0]*$/)
  .messages(expected('a string without a NUL character'))

/** What is run, of the route that waits for its end and of the terminal. */
export const commandFields = {
  cmd: Joi.array().items(argument).min(1).max(1_000).required().description('The command: a list of arguments'),
  user: argument.max(255).disallow('').description('Run it as `name`, `uid` or `uid:gid`'),
  workdir: argument.max(4_096).disallow('').description('Its working directory'),
}

/** What is kept of each of its outputs, in bytes. */
const mostOutput = 2 ** 20

/** Seconds after which nobody waits for it any more. */
const patience = { default: 60, most: 3_600 }

/** Runs a command in a container, and answers how it ended and what it has written. */
export function execRoute(desk: StreamDesk): Route {
  return {
    method: 'POST',
    path: '/v1/containers/:id/exec',
    permission: 'exec-container',
    tag: 'containers',
    summary: 'Run a command in a container and wait for its end',
    request: Joi.object({
      id: containerId.required(),
      ...hostnameField,
      ...commandFields,
      env: envField.description('Environment: `{"NAME": "value"}` or `["NAME=value"]`'),
      stdin: Joi.string().allow('').description('What it reads from its standard input; that is empty unless told'),
      timeout: Joi.number()
        .integer()
        .min(1)
        .max(patience.most)
        .default(patience.default)
        .description('Seconds after which it is not waited for any more; it may go on then'),
    }),
    answers: { 200: 'Its exit code, and the first MiB of each of its outputs' },
    async handle(fields, caller) {
      return { status: 200, body: await wholly(run(desk, fields as unknown as Asked, caller)) }
    },
  }
}

async function run(desk: StreamDesk, asked: Asked, caller: Caller) {
  const { cmd, env, user, workdir, stdin, timeout } = asked
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(tooLate(timeout)), timeout * 1_000)
  try {
    const params: Omit<ExecParams, 'id'> = {
      cmd,
      tty: false,
      stdin: stdin !== undefined,
      ...(env !== undefined && { env: environment(env) ?? [] }),
      ...(user !== undefined && { user }),
      ...(workdir !== undefined && { workdir }),
    }
    const opened = await openFor(desk, caller, execContainer, asked, params, { until: late.signal })
    const { call, signal } = opened
    // It may end without having read all of it.
    if (stdin !== undefined) void send(stdin).catch(() => undefined)
    async function send(text: string): Promise<void> {
      if (text !== '') await call.write(Buffer.from(text))
      await call.endInput()
    }
    const { bytes, truncated } = await collect(opened, mostOutput)
    const { exitCode } = (await untilAborted(signal, call.ended)) as { exitCode: number | null }
    return { exitCode, stdout: bytes[1].toString(), stderr: bytes[2].toString(), truncated }
  } finally {
    clearTimeout(timer)
  }
}

const tooLate = (seconds: number): DebloxError =>
  new DebloxError(
    'call_timeout',
    `timeout: expected the command to end within ${seconds} s, got no end; it may still be running`,
  )
