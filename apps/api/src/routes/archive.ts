import { exportContainer, readArchive, writeArchive, type WriteArchiveParams } from '@deblox/actions/calls/kinds'
import { expected } from '@deblox/actions/messages'
import { containerId, flag } from '@deblox/actions/schemas'
import Joi from 'joi'
import type { Answer, Caller, Route } from '../route'
import { collect } from '../streams/collect'
import { CallerLeft } from '../streams/outgoing'
import {
  hostnameField,
  type Meant,
  type Opened,
  openFor,
  piecesOf,
  reasonOf,
  type StreamDesk,
  untilAborted,
  wholly,
} from '../streams/opened'

const path = Joi.string()
  .max(4_096)
  .pattern(/^[^\0]+$/)
  .messages(expected('a path without a NUL'))
  .required()
  .description('A path in the container')

const tar = { 'Content-Type': 'application/x-tar', 'X-Accel-Buffering': 'no' }

interface AskedArchive extends Meant {
  path: string
}

type AskedWrite = AskedArchive & Omit<WriteArchiveParams, 'id'>

/** Files of a container, as tar archives that nobody keeps on their way. */
export function archiveRoutes(desk: StreamDesk): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/containers/:id/archive',
      permission: 'read-archive',
      tag: 'containers',
      summary: 'Read a file or a directory of a container, as a tar archive',
      request: Joi.object({ id: containerId.required(), ...hostnameField, path }),
      answers: { 200: 'The archive; `X-Docker-Container-Path-Stat` tells of the path, as JSON in base64' },
      async handle(fields, caller) {
        const asked = fields as unknown as AskedArchive
        const opened = await openFor(desk, caller, readArchive, asked, { path: asked.path })
        const { stat } = (opened.call.head ?? {}) as { stat?: unknown }
        const told: Record<string, string> =
          stat === undefined || stat === null ? {} : { 'X-Docker-Container-Path-Stat': inBase64(stat) }
        return archive(opened, told)
      },
    },
    {
      method: 'PUT',
      path: '/v1/containers/:id/archive',
      permission: 'write-archive',
      tag: 'containers',
      summary: 'Unpack a tar archive into a directory of a container',
      raw: true,
      request: Joi.object({
        id: containerId.required(),
        ...hostnameField,
        path,
        noOverwriteDirNonDir: flag
          .default(false)
          .description('Refuse to put a directory in the place of a file, and the other way round'),
        copyUidGid: flag.default(false).description("Keep the archive's owners"),
      }),
      answers: { 204: 'Unpacked' },
      async handle(fields, caller) {
        await wholly(unpacked(desk, fields as unknown as AskedWrite, caller))
        return { status: 204 }
      },
    },
    {
      method: 'GET',
      path: '/v1/containers/:id/export',
      permission: 'export-container',
      tag: 'containers',
      summary: 'Read all files of a container, as a tar archive',
      request: Joi.object({ id: containerId.required(), ...hostnameField }),
      answers: { 200: 'The archive' },
      async handle(fields, caller) {
        return archive(await openFor(desk, caller, exportContainer, fields as unknown as Meant, {}))
      },
    },
  ]
}

const inBase64 = (document: unknown): string => Buffer.from(JSON.stringify(document)).toString('base64')

/** An archive on its way. One that fails is cut short: it has no words for that. */
const archive = (opened: Opened, headers: Record<string, string> = {}): Answer => ({
  status: 200,
  headers: { ...tar, ...headers },
  async stream(out) {
    for await (const { bytes } of piecesOf(opened)) await untilAborted(opened.signal, out.write(bytes))
  },
})

async function unpacked(desk: StreamDesk, asked: AskedWrite, caller: Caller): Promise<void> {
  const { path: into, noOverwriteDirNonDir, copyUidGid } = asked
  const params = { path: into, noOverwriteDirNonDir, copyUidGid }
  const opened = await openFor(desk, caller, writeArchive, asked, params)
  const { call, signal } = opened
  const ended = collect(opened, 0).then(() => untilAborted(signal, call.ended))
  // How the call ends counts, also where it does not wait for the rest of what is sent.
  await Promise.race([ended, sent(opened, caller).then(() => ended)])
}

/** Sends the request's body on, as fast as the dock takes it. */
async function sent({ call, signal }: Opened, { body }: Caller): Promise<void> {
  try {
    // Not destroyed where it is not read to its end: the answer goes over the same connection.
    const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
    for await (const chunk of chunks) await untilAborted(signal, call.write(chunk))
    await call.endInput()
  } catch (error) {
    if (signal.aborted) throw reasonOf(signal)
    // A body that breaks off is no archive: what is there of it must not be taken for all.
    call.cancel()
    if (body.errored) throw new CallerLeft('the body broke off', { cause: error })
    throw error
  } finally {
    // What he still has to send is taken from him, or he would not come to read the answer.
    body.resume()
  }
}
