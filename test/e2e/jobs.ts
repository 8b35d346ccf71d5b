import type { Api } from '../support/api'
import { eventually } from '../support/eventually'
import type { Fleet } from '../support/fleet'
import type { Reply } from '../support/http'
import type { Made } from './containers'

/** A job as the API shows it, as far as these tests look. */
export interface Job {
  id: string
  action: string
  state: string
  actor: string
  dock: string | null
  slots: {
    slot: number
    state: string
    dock: string | null
    container: Pick<Made, 'id' | 'name'> | null
    undoneBy: string | null
    error: { code: string } | null
  }[]
  attempts: number
  createdAt: string
  startedAt: string | null
  finishedAt: string | null
  expiresAt: string | null
  retryOf: string | null
  error: { code: string; status: number; message: string } | null
}

/** Asks for something without waiting for it, and gives the id of the job that was accepted. */
export async function accepted(
  fleet: Fleet,
  method: string,
  path: string,
  body?: object,
  api: Api = fleet.api,
): Promise<string> {
  return jobIn(await fleet.request(api, method, path, body, { Prefer: 'respond-async' }))
}

/** The id of the job that a 202 speaks of. */
export function jobIn({ status, headers, body }: Reply): string {
  expect({ status, body }).toMatchObject({ status: 202, body: { job: { id: expect.any(String) } } })
  const { id } = (body as { job: Job }).job
  expect(headers.get('location')).toBe(`/v1/jobs/${id}`)
  return id
}

export async function jobOf(fleet: Fleet, id: string, api: Api = fleet.api): Promise<Job> {
  const { status, body } = await fleet.request(api, 'GET', `/v1/jobs/${id}`)
  expect({ status, body }).toMatchObject({ status: 200, body: { id } })
  return body as Job
}

/** Waits until a job has ended, however it did. */
export async function ended(fleet: Fleet, id: string, { within = 20_000, api = fleet.api } = {}): Promise<Job> {
  return eventually(
    () => jobOf(fleet, id, api),
    ({ state }) => !['waiting', 'active'].includes(state),
    { within, every: 50, what: `job ${id} ends` },
  )
}
