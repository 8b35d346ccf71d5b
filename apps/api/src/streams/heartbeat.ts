import type { WebSocket } from 'ws'

const everyMs = 20_000

/** One who has not taken all that was sent has so many pings' time: he may be busy with that. */
const beatsWhileSending = 3

/** Of one who is not read it is not heard that he leaves, only that what is sent to him does not arrive: he is pinged so often then, in milliseconds. */
const pausedMs = 1_500

/** Asks again and again whether the caller is there, and closes the socket of one who does not say so. Gives what stops it. */
export function heartbeat(socket: WebSocket, pingMs = everyMs): () => void {
  let silent = 0
  let buffered = 0
  const heard = (): void => {
    silent = 0
  }
  socket.on('pong', heard)
  socket.on('message', heard)
  const timer = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return
    // While he is not read, it is not seen what he says.
    if (socket.isPaused || socket.bufferedAmount < buffered) heard()
    buffered = socket.bufferedAmount
    if (silent >= (buffered > 0 ? beatsWhileSending : 1)) return socket.terminate()
    silent++
    socket.ping()
  }, pingMs).unref()
  const whilePaused = setInterval(() => {
    if (socket.isPaused && socket.readyState === socket.OPEN) socket.ping()
  }, pausedMs).unref()
  return () => {
    clearInterval(timer)
    clearInterval(whilePaused)
  }
}
