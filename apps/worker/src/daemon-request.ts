import { type ClientRequest, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http'
import { DebloxError } from '@deblox/actions/errors'
import { kindOf } from './daemon-reply'

/** What docker-modem says of a request beside node's own options. */
export interface Dialled {
  path: string
  method?: string
  /** The answer is given on as a stream. */
  isStream?: boolean
  /** `true` for those that mean success, words for others. */
  statusCodes: Record<number, string | boolean>
}

export type Answered = (error: unknown, answer: unknown) => void

/** A read whose caller gave no signal ends after so long: nobody waits for it any more, in milliseconds. */
const readMs = 65_000

/** Beyond so many pieces an answer is put together. */
const maxChunks = 10_000

/** The daemon's words about a failure are read so far, in bytes. */
const wordsLimit = 64 * 1024

/**
 * Sends one request to the daemon and judges the answer, in place of docker-modem, which follows redirects into TCP,
 * reads without end, never settles where an answer is cut short, and takes whatever arrives for what was asked.
 */
export function ask(options: RequestOptions, dialled: Dialled, data: string | undefined, answered: Answered): void {
  const isRead = dialled.method === 'GET' || dialled.method === 'HEAD'
  let request: ClientRequest
  let late: NodeJS.Timeout | undefined
  let settled = false
  const settle = (error: unknown, answer?: unknown): void => {
    if (settled) return
    settled = true
    clearTimeout(late)
    answered(error, answer)
  }
  try {
    request = httpRequest(options)
  } catch (error) {
    return settle(error, null)
  }
  if (isRead && !options.signal) late = setTimeout(() => request.destroy(brokenOff()), readMs)
  request.on('error', (error) => settle(error, null))
  // No answer, or a change of protocol: nothing more will come. An answer that breaks off fails while it is read.
  let begun = false
  request.on('close', () => {
    if (!begun) settle(brokenOff(), null)
  })
  request.on('response', (response) => {
    begun = true
    judge(response, dialled, isRead).then(
      (answer) => settle(null, answer),
      (error: unknown) => {
        settle(error, null)
        request.destroy()
      },
    )
  })
  request.end(data)
}

/** The daemon's answer, or the failure that it is. */
async function judge(response: IncomingMessage, dialled: Dialled, isRead: boolean): Promise<unknown> {
  const status = response.statusCode ?? 0
  if (dialled.statusCodes[status] !== true) throw await refusal(response, status, dialled, isRead)
  if (dialled.isStream) return response
  const path = dialled.path.replace(/\?.*$/, '')
  const { limit, what, is } = kindOf(path)
  const { bytes, whole } = await collect(response, limit)
  if (!whole) throw odd(isRead, `${path}: expected at most ${limit} bytes from the daemon, got more`)
  // Ping is answered in plain words, and most changes with nothing.
  if (path === '/_ping' || (bytes.length === 0 && !isRead && status !== 201)) return bytes
  const answer = parse(bytes)
  if (is(answer)) return answer
  throw odd(isRead, `${path}: expected ${what} from the daemon, got something else`)
}

/** A failure in the form of docker-modem's own. */
export async function refusal(
  response: IncomingMessage,
  status: number,
  { path, statusCodes }: Dialled,
  isRead: boolean,
) {
  // What counts is the status: of words that break off or have no end those are told that came.
  const { bytes } = await collect(response, wordsLimit, true)
  // A redirect, a success of another kind: passed on, it would look like one to whoever asked.
  if (status !== 304 && (status < 400 || status > 599)) {
    return odd(isRead, `${path.replace(/\?.*$/, '')}: expected another status from the daemon than ${status}`)
  }
  const json = parse(bytes)
  const reason = statusCodes[status]
  const words = wordsIn(json) ?? bytes.toString()
  const message = `(HTTP code ${status}) ${String(reason ?? 'unexpected')} - ${words} `
  return Object.assign(new Error(message), { reason, statusCode: status, json: json ?? bytes })
}

function wordsIn(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const { message, error } = json as { message?: unknown; error?: unknown }
  return [message, error].find((text) => typeof text === 'string')
}

async function collect(
  response: IncomingMessage,
  limit: number,
  cut = false,
): Promise<{ bytes: Buffer; whole: boolean }> {
  let chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limit) return { bytes: Buffer.concat(chunks), whole: false }
      chunks.push(chunk)
      // Millions of them would take many times the memory of what they hold.
      if (chunks.length >= maxChunks) chunks = [Buffer.concat(chunks)]
    }
  } catch (error) {
    if (!cut) throw error
  }
  return { bytes: Buffer.concat(chunks), whole: true }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

export const brokenOff = (): Error =>
  Object.assign(new Error('expected an answer from the daemon, but it broke off'), { code: 'ECONNRESET' })

/** Of a change it is not known then whether it was made; what was only to be read can be had by nobody. */
const odd = (isRead: boolean, message: string): Error =>
  isRead ? new DebloxError('docker_error', message) : Object.assign(new Error(message), { code: 'EBADREPLY' })
