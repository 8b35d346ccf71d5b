import type { Engine } from './engines'
import { startProgram, type RunningProcess } from './processes'

/** One container as an engine itself tells it. */
export interface CensusRow {
  dock: string
  id: string
  name: string
  image: string
  /** created, running, paused, exited … */
  state: string
  labels: Record<string, string>
}

/** One dock: an engine and the worker beside it, a process that can be stopped, killed and launched again. */
export class Dock {
  readonly hostname: string
  readonly engine: Engine
  readonly env: Record<string, string>
  worker: RunningProcess

  constructor(hostname: string, engine: Engine, env: Record<string, string>) {
    this.hostname = hostname
    this.engine = engine
    this.env = env
    this.worker = this.launch()
  }

  launch(): RunningProcess {
    const env = { ...this.env, DOCK_HOSTNAME: this.hostname, DOCKER_HOST: this.engine.dockerHost }
    this.worker = startProgram('worker', env, `worker of ${this.hostname}`)
    return this.worker
  }

  /** Every container of its engine, asked of the engine itself. */
  census(): Promise<CensusRow[]> {
    return censusOf(this.hostname, this.engine)
  }
}

export async function censusOf(hostname: string, engine: Engine): Promise<CensusRow[]> {
  const containers = await engine.docker.listContainers({ all: true })
  return containers.map(({ Id, Names, Image, State, Labels }) => ({
    dock: hostname,
    id: Id,
    name: Names[0]?.slice(1) ?? '',
    image: Image,
    state: State,
    labels: Labels,
  }))
}
