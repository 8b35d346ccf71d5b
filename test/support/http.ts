import { execFile } from 'node:child_process'

export interface Reply {
  status: number
  headers: Headers
  /** Parsed where the reply is JSON, else its text. Untyped, as JSON is: tests state what they expect of it. */
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any
}

/**
 * Sends one request. An object is sent as JSON; a string, a stream of bytes or nothing as they are. Rejects where the answer
 * has not come within so many milliseconds; of server-sent events, which have no end, the beginning is the answer.
 */
export async function send(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
  within = 60_000,
): Promise<Reply> {
  const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(url, {
    method,
    headers: raw ? headers : { 'content-type': 'application/json', ...headers },
    body: raw ? body : JSON.stringify(body),
    redirect: 'manual',
    signal: AbortSignal.timeout(within),
  })
  const text = isEndless(response) ? await beginningOf(response) : await response.text()
  const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
}

const isEndless = ({ headers }: Response): boolean =>
  headers.get('content-type')?.startsWith('text/event-stream') ?? false

/** Whoever asks as for an ordinary answer hears what server-sent events begin with, and leaves. */
async function beginningOf({ body }: Response): Promise<string> {
  const reader = body?.getReader()
  const { value } = (await reader?.read()) ?? {}
  await reader?.cancel()
  return value ? Buffer.from(value).toString() : ''
}

/** Runs the real curl, whose exact requests the documents of 2014 are sent with. Arguments reach it as they are, past any shell. */
export function curl(args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile('curl', ['--max-time', '60', ...args], { maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}
