import type { Socket } from 'node:net'
import type { FakeDaemon } from './fake-daemon'

export interface Flow {
  /** What the log could have sent by now, in bytes, and what of it was taken: the rest nobody took. */
  offered: number
  taken: number
  /** How many follow it now. */
  readers: number
}

const lineBytes = 200
const chunkBytes = 1_000_000
const headBytes = 8
/** As Docker writes it, with the blank behind it. */
const stampBytes = '2026-11-23T00:00:00.000000000Z '.length

/** Frames of standard output, one for each line, in which the times are missing. */
const template = Buffer.concat(
  Array.from({ length: chunkBytes / lineBytes }, (_, n) => {
    const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
    head.writeUInt32BE(lineBytes - headBytes, 4)
    const text = `line ${n} `.padEnd(lineBytes - headBytes - stampBytes - 1, 'x')
    return Buffer.concat([head, Buffer.alloc(stampBytes), Buffer.from(`${text}\n`)])
  }),
)

/**
 * Has a stand-in for a daemon log so many bytes a second for one container, to whoever follows: no real engine logs 100 MB/s here.
 * What is offered while the last of it was not taken is lost, as by a process that does not wait for its log.
 */
export function logLoudly(daemon: FakeDaemon, id: string, rate: number): Flow {
  const flow: Flow = { offered: 0, taken: 0, readers: 0 }
  daemon.oddly = ({ path }) => (path === `/containers/${id}/logs` ? (socket) => pour(socket, rate, flow) : undefined)
  return flow
}

function pour(socket: Socket, rate: number, flow: Flow): void {
  socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: close\r\n\r\n')
  flow.readers++
  const began = performance.now()
  let offered = 0
  let isFull = false
  const timer = setInterval(() => {
    const due = Math.floor((((performance.now() - began) / 1000) * rate) / chunkBytes)
    for (; offered < due; offered++) {
      flow.offered += chunkBytes
      if (isFull) continue
      flow.taken += chunkBytes
      isFull = !socket.write(chunkOf(new Date()))
    }
  }, 2)
  socket.on('drain', () => (isFull = false))
  socket.on('close', () => {
    flow.readers--
    clearInterval(timer)
  })
}

/** Of which all lines were logged now. */
function chunkOf(now: Date): Buffer {
  const chunk = Buffer.from(template)
  const stamp = Buffer.from(`${now.toISOString().slice(0, -1)}000000Z `)
  for (let at = headBytes; at < chunk.length; at += lineBytes) stamp.copy(chunk, at)
  return chunk
}
