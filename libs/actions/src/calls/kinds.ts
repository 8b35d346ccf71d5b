import Joi from 'joi'
import { fullId } from '../schemas'

/**
 * A kind of call: asked of the one dock that holds the container, answered while somebody listens, and gone with him. It is no
 * job: nothing of it is kept, and nothing is tried again. Its name is its permission, too (access/policies.ts).
 */
export interface CallKind<P extends object = object> {
  name: string
  /** What the dock is asked, validated again beside the daemon. `id` is always the full id. */
  params: Joi.ObjectSchema<P>
}

export interface LogsParams {
  id: string
  /** Goes on with what is logged from now on, across restarts, until the container is removed. */
  follow: boolean
  /** Seconds since 1970, with a fraction, as text; nothing for no bound. */
  since?: string
  until?: string
  /** How many lines from the end; all of them without it. */
  tail?: number
  stdout: boolean
  stderr: boolean
}

export interface StatsParams {
  id: string
  /** One reading a second until the caller leaves; else one. */
  live: boolean
}

export interface WaitParams {
  id: string
  condition: 'not-running' | 'next-exit' | 'removed'
}

/** Columns and rows of a terminal. */
export interface TerminalSize {
  cols: number
  rows: number
}

export interface ExecParams {
  id: string
  cmd: string[]
  tty: boolean
  /** Whether there will be input. */
  stdin: boolean
  user?: string
  workdir?: string
  env?: string[]
  size?: TerminalSize
}

export interface AttachParams {
  id: string
  stdin: boolean
  /** Begins with what was logged before. */
  logs: boolean
  size?: TerminalSize
}

export interface ArchiveParams {
  id: string
  /** A path in the container. */
  path: string
}

export interface WriteArchiveParams extends ArchiveParams {
  /** Refuses to put a directory in the place of a file, and the other way round. */
  noOverwriteDirNonDir: boolean
  copyUidGid: boolean
}

export interface ExportParams {
  id: string
}

const id = Joi.string().pattern(fullId).required()
const text = Joi.string().max(4_096)
const moment = Joi.string().pattern(/^\d{1,12}(\.\d{1,9})?$/)
export const terminalSize = Joi.object<TerminalSize>({
  cols: Joi.number().integer().min(1).max(10_000).required(),
  rows: Joi.number().integer().min(1).max(10_000).required(),
})
const path = text.min(1).required()

const kind = <P extends object>(name: string, params: Joi.SchemaMap<P, true>): CallKind<P> => ({
  name,
  params: Joi.object<P, true>(params),
})

export const readLogs = kind<LogsParams>('read-logs', {
  id,
  follow: Joi.boolean().required(),
  since: moment,
  until: moment,
  tail: Joi.number().integer().min(0).max(1_000_000_000),
  stdout: Joi.boolean().required(),
  stderr: Joi.boolean().required(),
})
export const watchStats = kind<StatsParams>('watch-stats', { id, live: Joi.boolean().required() })
export const waitContainer = kind<WaitParams>('wait-container', {
  id,
  condition: Joi.string().valid('not-running', 'next-exit', 'removed').required(),
})
export const execContainer = kind<ExecParams>('exec-container', {
  id,
  cmd: Joi.array().items(Joi.string().allow('').max(65_536)).min(1).max(1_000).required(),
  tty: Joi.boolean().required(),
  stdin: Joi.boolean().required(),
  user: text,
  workdir: text,
  env: Joi.array().items(Joi.string().max(65_536)).max(1_000),
  size: terminalSize,
})
export const attachContainer = kind<AttachParams>('attach-container', {
  id,
  stdin: Joi.boolean().required(),
  logs: Joi.boolean().required(),
  size: terminalSize,
})
export const readArchive = kind<ArchiveParams>('read-archive', { id, path })
export const writeArchive = kind<WriteArchiveParams>('write-archive', {
  id,
  path,
  noOverwriteDirNonDir: Joi.boolean().required(),
  copyUidGid: Joi.boolean().required(),
})
export const exportContainer = kind<ExportParams>('export-container', { id })

/** All kinds of calls beside the actions that only read, which are calls by their own names. */
export const callKinds: ReadonlyMap<string, CallKind> = new Map(
  [readLogs, watchStats, waitContainer, execContainer, attachContainer, readArchive, writeArchive, exportContainer].map(
    (one) => [one.name, one as CallKind],
  ),
)
