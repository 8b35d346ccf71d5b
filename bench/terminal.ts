import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Engine } from '../test/support/engines'

/** A terminal in a container in which `cat` gives back each key that is struck. */
export interface Terminal {
  /** Strikes one key; resolves when it has come back. */
  strike(): Promise<void>
  close(): Promise<void>
}

/** Raw, so that it is `cat` that answers each key, and not the line discipline of the kernel. */
const command = ['sh', '-c', 'stty raw -echo; echo ready; exec cat']

const key = 'x'

/** As the sub-protocol of the terminals' WebSocket numbers them. */
const channels = { stdin: 0, stdout: 1 } as const

/** Past the fleet: dockerode on the daemon's socket. */
export async function openDirectTerminal({ docker }: Engine, id: string): Promise<Terminal> {
  const all = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true }
  const exec = await docker.getContainer(id).exec({ Cmd: command, ...all })
  const connection = await exec.start({ hijack: true, stdin: true, Tty: true })
  const echo = new Echo()
  connection.on('data', (bytes: Buffer) => echo.take(bytes.toString()))
  await echo.of('ready\n')
  return {
    async strike() {
      connection.write(key)
      await echo.of(key)
    },
    async close() {
      connection.destroy()
    },
  }
}

/** Through the fleet: a WebSocket of the API. */
export async function openFleetTerminal(url: string, id: string): Promise<Terminal> {
  const asked = new URLSearchParams({ tty: 'true', stdin: 'true' })
  for (const word of command) asked.append('cmd', word)
  const address = `${url.replace('http', 'ws')}/v1/containers/${id}/exec?${asked.toString()}`
  const socket = new WebSocket(address, 'deblox.terminal.v1', { perMessageDeflate: false })
  const echo = new Echo()
  socket.on('message', (bytes: Buffer) => {
    if (bytes[0] === channels.stdout) echo.take(bytes.toString('latin1', 1))
    else echo.fail(new Error(`expected an echo, got channel ${bytes[0]}: ${bytes.toString('latin1', 1)}`))
  })
  await once(socket, 'open')
  await echo.of('ready\n')
  const message = Buffer.from([channels.stdin, key.charCodeAt(0)])
  return {
    async strike() {
      socket.send(message)
      await echo.of(key)
    },
    async close() {
      socket.terminate()
    },
  }
}

/** What has come back, until it is what is waited for. */
class Echo {
  private text = ''
  private check = (): void => {}
  private reject = (_error: Error): void => {}

  take(text: string): void {
    this.text += text
    this.check()
  }

  fail(error: Error): void {
    this.reject(error)
  }

  /** Resolves when that has come, and forgets it with all before it. A terminal may put a carriage return before a new line. */
  of(expected: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.reject = reject
      this.check = () => {
        if (!this.text.replaceAll('\r', '').endsWith(expected)) return
        this.text = ''
        this.check = () => {}
        resolve()
      }
      this.check()
    })
  }
}
