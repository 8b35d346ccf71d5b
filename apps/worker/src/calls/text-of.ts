import type { IncomingMessage } from 'node:http'
import { DebloxError } from '@deblox/actions/errors'

const limit = 1024 * 1024

/** The whole of a short answer. Throws `docker_error` where it is none. */
export async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > limit)
      throw new DebloxError('docker_error', `expected at most ${limit} bytes from the daemon, got more`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
