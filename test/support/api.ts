import { eventually } from './eventually'
import { send } from './http'
import { startProgram, type RunningProcess } from './processes'

/** One API replica: a process that can be stopped, killed and launched again on the same port. */
export class Api {
  readonly name: string
  readonly port: number
  readonly env: Record<string, string>
  process: RunningProcess

  constructor(name: string, port: number, env: Record<string, string>) {
    this.name = name
    this.port = port
    this.env = env
    this.process = this.launch()
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  launch(): RunningProcess {
    this.process = startProgram('api', { ...this.env, PORT: String(this.port) }, this.name)
    return this.process
  }

  async ready(): Promise<void> {
    const look = async (): Promise<number> => {
      this.process.assertRunning()
      return (await send(`${this.url}/readyz`, 'GET')).status
    }
    await eventually(look, (status) => status === 200, { within: 20_000, what: `${this.name} is ready` })
  }
}
