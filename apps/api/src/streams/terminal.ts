import { terminalSize } from '@deblox/actions/calls/kinds'
import { DebloxError, type ErrorCode } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import type { WebSocket } from 'ws'
import { asFailure } from '../errors'
import { heartbeat } from './heartbeat'
import { type Opened, piecesOf, untilAborted } from './opened'
import { CallerLeft } from './outgoing'

/** The sub-protocol: binary messages, of which the first byte says what the rest is (docs/streams.md). */
export const terminalProtocol = 'deblox.terminal.v1'

const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const

/** So much waits here for a caller, in bytes; while there is more, the dock is not read. */
const mostBuffered = 256 * 1024

/** A caller who takes nothing for so long is left, in milliseconds. */
const stallMs = 60_000

export interface TerminalOptions {
  /** Whether the caller may send input. */
  stdin: boolean
  /** Milliseconds between two pings, and for the answer to one. */
  pingMs?: number
}

/** Speaks the sub-protocol until the call ends, the caller leaves, or he may not go on; resolves when the socket is closed. */
export async function speakTerminal(
  socket: WebSocket,
  { call, signal }: Pick<Opened, 'call' | 'signal'>,
  { stdin, pingMs }: TerminalOptions,
): Promise<void> {
  // What is wrong with a message is told by what closes the socket.
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    if (socket.readyState === socket.CLOSED) resolve()
    else socket.once('close', () => resolve())
  })
  const wrong = new AbortController()
  const over = AbortSignal.any([signal, wrong.signal])
  void closed.then(() => wrong.abort(new CallerLeft('the caller has left')))
  const stop = heartbeat(socket, pingMs)
  const { tty } = (call.head ?? {}) as { tty?: boolean }
  // What belongs to neither of two outputs is what the dock tells of itself.
  const single = tty ? channels.stdout : channels.status
  takeInput(
    socket,
    (message) => handle(message, { call, stdin }),
    (error) => wrong.abort(error),
  )
  try {
    for await (const { channel, bytes } of piecesOf({ call, signal: over })) {
      await untilAborted(over, send(socket, channel === 0 ? single : channel, bytes))
    }
    await send(socket, channels.status, asJson((await untilAborted(over, call.ended)) ?? {}))
    socket.close(1000)
  } catch (error) {
    if (error instanceof CallerLeft) socket.terminate()
    else await sayFailure(socket, error)
    if (!(error instanceof DebloxError) && !(error instanceof CallerLeft)) throw error
  } finally {
    await closed
    stop()
    call.cancel()
  }
}

/** Tells how it failed, and closes: HTTP's status is the last three digits of the code. */
async function sayFailure(socket: WebSocket, error: unknown): Promise<void> {
  const { code, status, message } = asFailure(error)
  void send(socket, channels.status, asJson({ error: { code, status, message } })).catch(() => undefined)
  socket.close(status >= 100 && status <= 999 ? 4_000 + status : 4_500, code satisfies ErrorCode)
}

const asJson = (document: unknown): Buffer => Buffer.from(JSON.stringify(document))

/** Sends a message; resolves when there is room for more. Throws `CallerLeft`. */
async function send(socket: WebSocket, channel: number, bytes: Buffer): Promise<void> {
  if (socket.readyState !== socket.OPEN) throw new CallerLeft('the caller has left')
  const sent = new Promise<void>((resolve, reject) =>
    socket.send(Buffer.concat([Buffer.of(channel), bytes]), { binary: true }, (error) =>
      error ? reject(new CallerLeft('the caller has left', { cause: error })) : resolve(),
    ),
  )
  if (socket.bufferedAmount <= mostBuffered) return void sent.catch(() => undefined)
  const stalled = setTimeout(() => socket.terminate(), stallMs)
  try {
    await sent
  } finally {
    clearTimeout(stalled)
  }
}

interface Message {
  data: Buffer
  isBinary: boolean
}

/** Takes messages one after the other; while one is being taken the socket is not read. */
function takeInput(
  socket: WebSocket,
  take: (message: Message) => Promise<void>,
  onWrong: (error: unknown) => void,
): void {
  let waiting = 0
  let taking = Promise.resolve()
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    waiting++
    socket.pause()
    taking = taking
      .then(() => take({ data, isBinary }))
      .catch(onWrong)
      .finally(() => {
        if (--waiting === 0) socket.resume()
      })
  })
}

async function handle(
  { data, isBinary }: Message,
  { call, stdin }: Pick<Opened, 'call'> & { stdin: boolean },
): Promise<void> {
  if (!isBinary) throw refused('a binary message', 'text')
  const channel = data[0]
  if (channel === channels.stdin) {
    if (!stdin) throw refused('no input, because it was not asked for by stdin=true', 'some')
    // What becomes of a call that takes no input any more is told by its end.
    if (data.length > 1) await call.write(data.subarray(1)).catch(() => undefined)
  } else if (channel === channels.resize) {
    const resize = validate(terminalSize, readJson(data.subarray(1)), { root: 'resize' })
    await call.tell({ resize }).catch(() => undefined)
  } else if (channel === channels.close && data.length === 2 && data[1] === channels.stdin) {
    await call.endInput().catch(() => undefined)
  } else {
    throw refused('a message of channel 0, 4, or 255 and then 0', `one of ${channel ?? 'none'}`)
  }
}

function readJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    throw refused('JSON in a resize', 'something else', error)
  }
}

const refused = (expected: string, got: string, cause?: unknown): DebloxError =>
  new DebloxError('invalid_request', `message: expected ${expected}, got ${got} (sub-protocol ${terminalProtocol})`, {
    cause,
  })
