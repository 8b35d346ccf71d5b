import { connect } from 'node:net'

/**
 * Sends these bytes as they are over a connection of their own, and gives what comes back until the other end closes it.
 * With `hangUp` this end says that nothing more comes: a server may take that for a caller who has gone.
 */
export function exchange(port: number, bytes: string | Buffer, { hangUp = false } = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const got: Buffer[] = []
    socket.setTimeout(10_000, () => socket.destroy())
    socket.on('data', (chunk) => got.push(chunk))
    // A connection that is cut short has said what it had to say.
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Buffer.concat(got).toString('latin1')))
    if (hangUp) socket.end(bytes)
    else socket.write(bytes)
  })
}

/** The status of every reply in the bytes. */
export const statuses = (replies: string): number[] =>
  [...replies.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
