import { attachContainer, execContainer, type ExecParams, type TerminalSize } from '@deblox/actions/calls/kinds'
import { expected } from '@deblox/actions/messages'
import { containerId, flag } from '@deblox/actions/schemas'
import Joi from 'joi'
import type { Route } from '../route'
import { hostnameField, type Meant, type Opened, openFor, type StreamDesk } from '../streams/opened'
import { speakTerminal, terminalProtocol } from '../streams/terminal'
import { commandFields } from './exec'

const side = Joi.number().integer().min(1).max(10_000)

const terminalFields = {
  stdin: flag.default(false).description('Whether there will be input'),
  cols: side.description('Columns of the terminal, with `rows`'),
  rows: side.description('Rows of the terminal'),
}

interface AskedTerminal extends Meant, Partial<TerminalSize> {
  stdin: boolean
}

interface AskedExec extends AskedTerminal, Pick<ExecParams, 'cmd' | 'tty' | 'user' | 'workdir' | 'env'> {}

const sizeOf = ({ cols, rows }: Partial<TerminalSize>): { size?: TerminalSize } =>
  cols === undefined || rows === undefined ? {} : { size: { cols, rows } }

/** The WebSockets by which somebody types into a container. */
export function terminalRoutes(desk: StreamDesk): Route[] {
  const answer = (opened: Opened, { stdin }: AskedTerminal) => ({
    status: 101,
    socket: (socket: Parameters<typeof speakTerminal>[0]) =>
      speakTerminal(socket, opened, { stdin, ...(desk.pace?.ping !== undefined && { pingMs: desk.pace.ping }) }),
  })
  return [
    {
      method: 'GET',
      path: '/v1/containers/:id/exec',
      permission: 'exec-container',
      tag: 'containers',
      summary: 'Run a command in a container over a WebSocket, with or without a terminal',
      upgrades: terminalProtocol,
      request: Joi.object({
        id: containerId.required(),
        ...hostnameField,
        ...commandFields,
        cmd: commandFields.cmd.single().description('The command: one `cmd` for each argument'),
        env: Joi.array()
          .items(
            Joi.string()
              .max(65_536)
              .pattern(/^[^=\0]+=[^\0]*$/)
              .messages(expected('NAME=value')),
          )
          .single()
          .max(1_000)
          .description('Environment: one `env=NAME=value` for each variable'),
        tty: flag.default(false).description('Give it a terminal'),
        ...terminalFields,
      }).and('cols', 'rows'),
      answers: { 101: 'The WebSocket' },
      async handle(fields, caller) {
        const asked = fields as unknown as AskedExec
        const { cmd, tty, stdin, user, workdir, env } = asked
        const params: Omit<ExecParams, 'id'> = {
          cmd,
          tty,
          stdin,
          ...sizeOf(asked),
          ...(user !== undefined && { user }),
          ...(workdir !== undefined && { workdir }),
          ...(env !== undefined && { env }),
        }
        return answer(await openFor(desk, caller, execContainer, asked, params), asked)
      },
    },
    {
      method: 'GET',
      path: '/v1/containers/:id/attach',
      permission: 'attach-container',
      tag: 'containers',
      summary: 'Attach to the main process of a container over a WebSocket',
      upgrades: terminalProtocol,
      request: Joi.object({
        id: containerId.required(),
        ...hostnameField,
        logs: flag.default(false).description('Begin with what was logged before'),
        ...terminalFields,
      }).and('cols', 'rows'),
      answers: { 101: 'The WebSocket' },
      async handle(fields, caller) {
        const asked = fields as unknown as AskedTerminal & { logs: boolean }
        const params = { stdin: asked.stdin, logs: asked.logs, ...sizeOf(asked) }
        return answer(await openFor(desk, caller, attachContainer, asked, params), asked)
      },
    },
  ]
}
