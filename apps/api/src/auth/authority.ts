import { joined } from '@deblox/actions/joined'
import { isSafeUrl } from './loopback'

/** Longer descriptions and key sets are not read, in bytes. */
const maxBytes = 256 * 1024

/** An authority gets so long for an answer, in milliseconds. */
const timeoutMs = 5_000

/** After a failure nobody is asked again for so long, in milliseconds: a flood of credentials must not become one of requests. */
const pauseMs = 5_000

/**
 * Asks an authority, and no other: it follows no redirects, and goes nowhere but by https or to this machine.
 * Throws where the answer is no good, is too long or does not come.
 */
export async function askAuthority(url: string | URL, options: RequestInit = {}): Promise<Response> {
  if (!isSafeUrl(new URL(url))) throw new Error('expected an https:// URL, or http:// to a loopback address')
  const { signal, release } = joined(AbortSignal.timeout(timeoutMs), ...(options.signal ? [options.signal] : []))
  try {
    const response = await fetch(url, { ...options, redirect: 'manual', signal })
    const { status, statusText, headers } = response
    const body = await readBounded(response)
    return new Response(status === 204 || status === 304 ? null : body, { status, statusText, headers })
  } finally {
    release()
  }
}

/** What an authority says of itself. Throws where it says that it is another one. */
export async function describeAuthority(issuer: string): Promise<Record<string, unknown>> {
  const response = await askAuthority(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  if (response.status !== 200) throw new Error(`expected status 200, got ${response.status}`)
  const description: unknown = await response.json()
  if (typeof description !== 'object' || description === null) throw new Error('expected a JSON object')
  if ((description as Record<string, unknown>)['issuer'] !== issuer) throw new Error(`expected ${issuer} as issuer`)
  return description as Record<string, unknown>
}

/** The same function, but for a while after it has failed it fails at once, in the same way. */
export function resting<A extends unknown[], T>(ask: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  let failure: { at: number; error: unknown } | undefined
  return async (...args) => {
    if (failure && performance.now() - failure.at < pauseMs) throw failure.error
    try {
      const answer = await ask(...args)
      failure = undefined
      return answer
    } catch (error) {
      failure = { at: performance.now(), error }
      throw error
    }
  }
}

/** Makes something when it is first asked for, and keeps it; after a failure it is tried again, but not at once. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  const attempt = resting(make)
  let made: Promise<T> | undefined
  return () => {
    made ??= attempt().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
}

async function readBounded(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxBytes) throw new Error(`expected at most ${maxBytes} bytes`)
  }
  return new Uint8Array(Buffer.concat(chunks))
}
