import { once } from 'node:events'
import { WebSocket } from 'ws'
import { eventually } from '../test/support/eventually'
import { freePort } from '../test/support/free-port'
import { send } from '../test/support/http'
import type { RunningProcess } from '../test/support/processes'
import { residentOf } from '../test/support/resident'
import { startFrom } from './setting'

/** What a process holds in memory, in bytes. */
export interface Held {
  /** As the system sees it, before anything was collected. */
  resident: number
  /** Of V8's heap and beside it, after all that can be was collected. */
  heap: number
}

/** An API replica, and how long it took until it answered a list. */
export class Replica {
  private constructor(
    readonly url: string,
    readonly process: RunningProcess,
    /** From the start of the process, in milliseconds. */
    readonly startMs: number,
    private readonly inspectorPort: number,
  ) {}

  static async start(programs: string, env: Record<string, string>, name: string): Promise<Replica> {
    const [port, inspectorPort] = await Promise.all([freePort(), freePort()])
    const url = `http://127.0.0.1:${port}`
    const began = performance.now()
    const process = startFrom(
      programs,
      'api',
      { ...env, HOST: '127.0.0.1', PORT: String(port) },
      { name, nodeArgs: [`--inspect=127.0.0.1:${inspectorPort}`] },
    )
    const look = async (): Promise<number> => {
      process.assertRunning()
      return (await send(`${url}/v1/containers?limit=1`, 'GET')).status
    }
    await eventually(look, (status) => status === 200, { within: 60_000, every: 20, what: `${name} answers` })
    return new Replica(url, process, performance.now() - began, inspectorPort)
  }

  /** Asked by the debugger, which it listens for: nothing else of it is different. */
  async held(): Promise<Held> {
    const resident = await residentOf(this.process.pid)
    const found = await send(`http://127.0.0.1:${this.inspectorPort}/json/list`, 'GET')
    const [{ webSocketDebuggerUrl }] = found.body as [{ webSocketDebuggerUrl: string }]
    const socket = new WebSocket(webSocketDebuggerUrl)
    await once(socket, 'open')
    await asked(socket, 'HeapProfiler.collectGarbage', {})
    const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())'
    const { result } = (await asked(socket, 'Runtime.evaluate', { expression })) as { result: { value: number } }
    socket.close()
    return { resident, heap: result.value }
  }
}

async function asked(socket: WebSocket, method: string, params: object): Promise<unknown> {
  const id = Math.floor(Math.random() * 1e9)
  socket.send(JSON.stringify({ id, method, params }))
  for (;;) {
    const [text] = (await once(socket, 'message')) as [Buffer]
    const answer = JSON.parse(text.toString()) as { id?: number; result?: unknown; error?: unknown }
    if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`)
    if (answer.id === id) return answer.result
  }
}
