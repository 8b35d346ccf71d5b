import { setTimeout as pause } from 'node:timers/promises'
import type { Fleet } from '@deblox/fleet/fleet'
import { Events } from '../test/support/sse'
import { call } from './http'
import type { Replica } from './replica'
import { indexRow } from './rows'
import type { Told } from './stub-docks'

/** Milliseconds from when a dock began to write a change until it was seen on a replica, of each replica. */
export interface Visibility {
  /** In a list that is asked for again and again. */
  list: number[]
  /** Among the events. */
  event: number[]
  replicas: number
}

const gapMs = 50

/** Changes of one container after another, each looked for on every replica. */
export async function measureVisibility(
  { fleet, told }: { fleet: Fleet; told: Told },
  replicas: readonly Replica[],
  changes: number,
): Promise<Visibility> {
  const seen: Visibility = { list: [], event: [], replicas: replicas.length }
  const listening = await Promise.all(replicas.map(({ url }) => Events.open(`${url}/v1/events?kind=container`)))
  for (let n = 0; n < changes; n++) {
    const number = (n * 13) % told.all.length
    const dock = told.all[number] as string
    const name = `seen-${n}`
    const row = { ...indexRow(dock, number * (told.containers / told.all.length) + 2), name }
    const query = `dock=${dock}&name=${name}&fields=name`
    const began = performance.now()
    const written = fleet.index.write(dock, [row], [])
    await Promise.all([
      written,
      ...replicas.map(async ({ url }) => {
        while (((await call(`${url}/v1/containers?${query}`, 'GET')) as { items: unknown[] }).items.length === 0);
        seen.list.push(performance.now() - began)
      }),
      ...listening.map(async (events) => {
        // Up to 25 ms of it are between two looks.
        await events.next(({ data }) => JSON.stringify(data).includes(`"${name}"`), 5_000)
        seen.event.push(performance.now() - began)
      }),
    ])
    await pause(gapMs)
  }
  for (const events of listening) events.leave()
  return seen
}
