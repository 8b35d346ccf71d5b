import type { Api } from '../support/api'

/** An answer of the API, as far as the campaign looks. */
export interface Answer {
  status: number
  location: string | null
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON is untyped, and each reader looks for its own fields
  body: any
}

export interface Question {
  method: string
  path: string
  body?: object
  headers?: Record<string, string>
  /** Milliseconds after which the caller leaves; 8 s unless told. */
  within?: number
}

/** One request as an impatient caller sends it: no answer is an answer here, since faults are on. */
export async function ask(
  api: Api,
  { method, path, body, headers = {}, within = 8_000 }: Question,
): Promise<Answer | undefined> {
  try {
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(within),
    })
    const text = await response.text()
    const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '')
    const location = response.headers.get('location')
    return { status: response.status, location, body: isJson ? JSON.parse(text) : text }
  } catch {
    return undefined
  }
}
