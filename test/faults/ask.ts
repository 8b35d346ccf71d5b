import type { Api } from '../support/api'
import { type Reply, send } from '../support/http'

/** An answer of the API, as far as the campaign looks: what its body is has to be found out. */
export type Answer = Omit<Reply, 'body'> & { body: unknown }

export interface Question {
  method: string
  path: string
  body?: object
  headers?: Record<string, string>
  /** Milliseconds after which the caller leaves; 8 s unless told. */
  within?: number
}

/** One request as an impatient caller sends it: no answer is an answer here, since faults are on. */
export function ask(api: Api, { method, path, body, headers, within = 8_000 }: Question): Promise<Answer | undefined> {
  return send(`${api.url}${path}`, method, body, headers, within).catch(() => undefined)
}

/** The items of a list; none where the answer is not one. */
export function itemsOf<Item>(answer: Answer | undefined): Item[] {
  const { items } = (answer?.body ?? {}) as { items?: Item[] }
  return items ?? []
}
