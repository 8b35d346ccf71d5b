import type { DebloxError } from '@deblox/actions/errors'
import { frame } from '../testing/streams-double'
import { Demux } from './demux'
import { Runs } from './runs'

/** What comes out on each stream, with the number of pieces. */
function through(chunks: Buffer[], peek = 0) {
  const runs = new Runs()
  const out: Record<number, Buffer[]> = { 1: [], 2: [] }
  let pieces = 0
  const demux = new Demux((stream, bytes, from, to) => runs.add(stream, bytes, from, to), peek)
  for (const chunk of chunks) {
    demux.push(chunk)
    for (const { channel, bytes } of runs.take()) {
      out[channel]?.push(Buffer.from(bytes))
      pieces++
    }
  }
  demux.end()
  return { 1: Buffer.concat(out[1] ?? []).toString(), 2: Buffer.concat(out[2] ?? []).toString(), pieces }
}

const some = [frame(1, 'one\n'), frame(2, 'bad\n'), frame(1, ''), frame(0, 'typed'), frame(1, 'ü\0ÿ'), frame(2, 'x')]
const parted = { 1: 'one\ntypedü\0ÿ', 2: 'bad\nx' }

test('parts the streams', () => {
  expect(through([Buffer.concat(some)])).toMatchObject(parted)
})

test.each([0, 48])('is the same wherever the frames are cut in two, with %i bytes ahead', (peek) => {
  const all = Buffer.concat(some)
  for (let at = 0; at <= all.length; at++) {
    expect(through([Buffer.from(all.subarray(0, at)), Buffer.from(all.subarray(at))], peek)).toMatchObject(parted)
  }
})

test.each([0, 48])('is the same byte by byte, with %i bytes ahead', (peek) => {
  expect(
    through(
      Array.from(Buffer.concat(some), (byte) => Buffer.from([byte])),
      peek,
    ),
  ).toMatchObject(parted)
})

test('takes hundreds of thousands of tiny frames in one chunk, and puts them together', () => {
  const count = 300_000
  const { 1: out, pieces } = through([Buffer.concat(Array.from({ length: count }, () => frame(1, 'x')))])
  expect(out).toHaveLength(count)
  expect(pieces).toBe(1)
})

test('takes hundreds of thousands of empty frames in one chunk', () => {
  expect(through([Buffer.alloc(8 * 300_000, frame(1, ''))])).toEqual({ 1: '', 2: '', pieces: 0 })
})

test('gives a frame on in parts as they come, whatever length it announces', () => {
  const parts: number[] = []
  const demux = new Demux((_stream, _bytes, from, to, first, last) => {
    parts.push(to - from)
    expect([first, last]).toEqual([parts.length === 1, false])
  })
  const head = frame(1, '')
  head.writeUInt32BE(0xffffffff, 4)
  demux.push(head)
  demux.push(Buffer.alloc(1_000))
  demux.push(Buffer.alloc(2_000))
  expect(parts).toEqual([1_000, 2_000])
})

test('fails with what the daemon says has gone wrong', () => {
  expect(() => through([frame(1, 'a'), frame(3, 'Error grabbing logs: EOF\n')])).toThrow(
    expect.objectContaining({ code: 'docker_error', message: 'Error grabbing logs: EOF' }) as DebloxError,
  )
})

test.each([
  ['another stream', frame(9, 'x')],
  ['text', Buffer.from('no frames here')],
])('fails where it gets %s', (_, bytes) => {
  expect(() => through([bytes])).toThrow(expect.objectContaining({ code: 'docker_error' }) as DebloxError)
})

test.each([3, 9, 11])('fails where the stream ends after %i bytes, within a frame', (length) => {
  expect(() => through([Buffer.from(frame(1, 'whole').subarray(0, length))])).toThrow(
    expect.objectContaining({ code: 'stream_broken' }) as DebloxError,
  )
})
