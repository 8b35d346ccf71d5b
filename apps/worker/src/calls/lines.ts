import { DebloxError } from '@deblox/actions/errors'

const newline = 0x0a

/** The lines of a stream that is cut anywhere, each with its end. Throws `docker_error` where one is longer than `most` bytes. */
export async function* lines(stream: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    let from = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, end + 1)])
      parts = []
      length = 0
      from = end + 1
    }
    if (from === chunk.length) continue
    length += chunk.length - from
    if (length > most) throw new DebloxError('docker_error', `expected lines of at most ${most} bytes from the daemon`)
    parts.push(Buffer.from(chunk.subarray(from)))
    // Byte by byte they would take many times the memory of what they hold.
    if (parts.length > 1_000) parts = [Buffer.concat(parts)]
  }
  if (length > 0) yield Buffer.concat([...parts, Buffer.from([newline])])
}
