import type { Readable } from 'node:stream'
import type { Engine } from './engines'
import { eventually } from './eventually'

/** What an engine tells of itself. */
export interface EngineEvent {
  Type: string
  Action: string
  Actor: { ID: string; Attributes: Record<string, string> }
}

/** Everything that an engine does from now on, by its own event stream. */
export async function listenTo(engine: Engine): Promise<{
  events: EngineEvent[]
  /** Waits for the creation of the container of that name: whatever was asked before it has been told of by then. */
  until(name: string): Promise<void>
  stop(): void
}> {
  const stream = (await engine.docker.getEvents()) as Readable
  const events: EngineEvent[] = []
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    events.push(...lines.filter((line) => line !== '').map((line) => JSON.parse(line) as EngineEvent))
  })
  // It is destroyed at the end, and with it the connection.
  stream.on('error', () => undefined)
  const isIt = ({ Type, Action, Actor }: EngineEvent, name: string) =>
    Type === 'container' && Action === 'create' && Actor.Attributes['name'] === name
  return {
    events,
    until: (name) =>
      eventually(() => events.some((event) => isIt(event, name)), undefined, {
        within: 10_000,
        what: `the engine tells of ${name}`,
      }).then(() => undefined),
    stop: () => stream.destroy(),
  }
}
