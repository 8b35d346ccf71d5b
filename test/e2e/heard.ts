import { type EngineEvent, listenTo } from '../support/engine-events'
import type { Fleet } from '../support/fleet'
import { create } from './containers'

/** What comes to the engine of dock1 from now on, and how much of it has been looked at. */
export interface Heard extends Awaited<ReturnType<typeof listenTo>> {
  fleet: Fleet
  seen: number
}

export async function listen(fleet: Fleet): Promise<Heard> {
  return { ...(await listenTo(fleet.dock('dock1').engine)), fleet, seen: 0 }
}

/** What an engine makes on somebody's word. */
const made = ({ Action }: EngineEvent): boolean => /^(create|pull|import|load|exec_create|install|enable)/.test(Action)

/** Nothing has been made since the last look, whatever was asked: a container that is made now is the first. */
export async function expectNothingHeard(heard: Heard): Promise<void> {
  const name = `harmless${heard.seen}`
  const { id } = await create(heard.fleet, { name, hostname: 'dock1' })
  await heard.until(name)
  const events = heard.events.slice(heard.seen).filter(made)
  expect(events.filter(({ Actor }) => Actor.ID !== id)).toEqual([])
  heard.seen = heard.events.length
}
