import type { Duplex } from 'node:stream'
import type { Channel } from '@deblox/fleet/calls/call'
import { drained } from '../daemon-streams'
import { Demux } from './demux'
import type { ReadAhead } from './read-ahead'
import { Runs } from './runs'

/** What a process is shown when no more input will come. */
export type InputEnd =
  /** Nothing. */
  | 'none'
  /** The connection's side is shut, which ends its standard input. */
  | 'shut'
  /** The character that ends input at a terminal: shutting the connection would end the terminal with all that is on its way. */
  | 'eot'

const endOfTransmission = Buffer.from([4])

/** Sends output on, in order: a terminal's on channel 0, else on 1 and 2. Resolves when the daemon has ended it. */
export async function sendAll(
  output: AsyncIterable<Buffer>,
  tty: boolean,
  send: (channel: Channel, bytes: Buffer) => Promise<void>,
): Promise<void> {
  const runs = new Runs()
  const demux = new Demux((stream, bytes, from, to) => runs.add(stream, bytes, from, to))
  for await (const chunk of output) {
    if (tty) runs.add(0, chunk, 0, chunk.length)
    else demux.push(chunk)
    for (const { channel, bytes } of runs.take()) await send(channel, bytes)
  }
  demux.end()
}

/**
 * Gives input to a process as fast as that takes it, beside its output: nobody waits for it, as it may never end. A process
 * that takes no more is no failure.
 */
export function pour(
  input: AsyncIterable<Buffer>,
  connection: Duplex,
  output: ReadAhead,
  end: InputEnd,
  signal: AbortSignal,
): void {
  void pourAll(input, connection, output, end, signal).catch(() => {
    // What could not be had as it was sent must not go on as if it were the whole.
    if (!connection.writableEnded) connection.destroy()
  })
}

async function pourAll(
  input: AsyncIterable<Buffer>,
  connection: Duplex,
  output: ReadAhead,
  end: InputEnd,
  signal: AbortSignal,
): Promise<void> {
  for await (const bytes of input) {
    await output.caughtUp()
    if (!connection.writable) return
    if (!connection.write(bytes)) await drained(connection)
  }
  // An input that ends because its sender has left is not whole, and must not look so.
  signal.throwIfAborted()
  if (!connection.writable) return
  if (end === 'eot') connection.write(endOfTransmission)
  if (end === 'shut') connection.end()
}
