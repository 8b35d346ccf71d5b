import type { Piece } from '@deblox/fleet/calls/call'
import { frame } from '../testing/streams-double'
import { LogLines } from './log-lines'
import { LogPlace, secondsOf } from './log-place'

const time = (n: number): string => `2026-11-23T07:25:38.${String(n).padStart(9, '0')}Z`
const message = (n: number, content: string): string => `${time(n)} ${content}`
const textOf = (pieces: Piece[], channel: number): string =>
  shown(Buffer.concat(pieces.filter((piece) => piece.channel === channel).map(({ bytes }) => bytes)).toString())

/** What comes of messages, cut into chunks in some way. */
function read(bytes: Buffer, cut: (bytes: Buffer) => Buffer[], tty = false) {
  const lines = new LogLines(tty)
  const pieces = [...cut(bytes).flatMap((chunk) => copied(lines.push(chunk))), ...lines.end()]
  return { out: textOf(pieces, 1), bad: textOf(pieces, 2) }
}

const copied = (pieces: Piece[]): Piece[] => pieces.map((piece) => ({ ...piece, bytes: Buffer.from(piece.bytes) }))
const whole = (bytes: Buffer): Buffer[] => [Buffer.from(bytes)]
const byByte = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.from([byte]))
const at = (place: number) => (bytes: Buffer) => [
  Buffer.from(bytes.subarray(0, place)),
  Buffer.from(bytes.subarray(place)),
]

const long = 'x'.repeat(16_384)
/** Short, so that a failure can be read. */
const shown = (text: string): string => text.replaceAll(/x{9,}/g, ({ length }) => `${length} times x`)

describe('of frames', () => {
  const frames = Buffer.concat([
    frame(1, message(1, 'one\n')),
    frame(2, message(2, 'bad, but ')),
    frame(1, message(3, '\n')),
    // A long line is cut into messages of one time, and another stream may come between them.
    frame(1, message(4, long)),
    frame(2, message(2, 'whole\n')),
    frame(1, message(4, long)),
    frame(1, message(4, 'end\n')),
    // What a process left unfinished is a line of its own.
    frame(1, message(5, 'left')),
    frame(1, message(6, '2026 is no time\n')),
    frame(1, 'without a time\n'),
  ])
  const expected = {
    out: [
      message(1, 'one'),
      message(3, ''),
      message(4, '32768 times xend'),
      message(5, 'left'),
      message(6, '2026 is no time'),
      'without a time\n',
    ].join('\n'),
    bad: message(2, 'bad, but whole\n'),
  }

  test('each line is one, and has one time', () => expect(read(frames, whole)).toEqual(expected))

  test('byte by byte it is the same', () => expect(read(frames, byByte)).toEqual(expected))

  test('wherever they are cut it is the same', () => {
    const near = [...Array(140).keys(), ...Array.from({ length: 180 }, (_, n) => frames.length - 180 + n)]
    for (const place of near) expect(read(frames, at(place))).toEqual(expected)
  })

  test('tiny ones by the hundred thousand become few pieces', () => {
    const all = Buffer.concat(Array.from({ length: 100_000 }, (_, n) => frame(1, message(n, 'x\n'))))
    const pieces = new LogLines(false).push(all)
    expect(pieces).toHaveLength(1)
    expect(textOf(pieces, 1).split('\n')).toHaveLength(100_001)
  })
})

describe('of a terminal', () => {
  const text = Buffer.from(
    message(1, 'one\r\n') +
      message(2, '\r\n') +
      message(3, long) +
      message(3, long) +
      message(3, 'end\r\n') +
      message(4, long) +
      message(4, '\n') +
      message(5, 'left'),
  )
  const expected = {
    out: shown(
      [
        message(1, 'one\r'),
        message(2, '\r'),
        message(3, `${long}${long}end\r`),
        message(4, long),
        message(5, 'left'),
      ].join('\n'),
    ),
    bad: '',
  }

  test('each line is one, and has one time', () => expect(read(text, whole, true)).toEqual(expected))

  test('byte by byte it is the same', () => expect(read(text, byByte, true)).toEqual(expected))

  test('wherever it is cut it is the same', () => {
    const borders = [0, 55, 100, 16_500, 32_950, 33_000, 49_400].flatMap((from) =>
      Array.from({ length: 45 }, (_, n) => from + n),
    )
    for (const place of borders) expect(read(text, at(place), true)).toEqual(expected)
  })

  test('a time in the text is text', () => {
    const text = Buffer.from(message(1, `${message(2, 'quoted')}\n`))
    expect(read(text, whole, true).out).toBe(text.toString())
  })

  test('what goes on with a long line without a time of its own is left as it is', () => {
    const text = Buffer.from(message(1, `${long}${message(2, 'more\n')}`))
    expect(read(text, byByte, true).out).toBe(shown(text.toString()))
  })
})

describe.each([false, true])('opened again, for a terminal: %s,', (tty) => {
  const framed = (...messages: [number, string][]): Buffer =>
    Buffer.concat(
      messages.map(([n, content]) => (tty ? Buffer.from(message(n, content)) : frame(1, message(n, content)))),
    )

  test('it goes on after what was read, also among messages of the same time', () => {
    const place = new LogPlace()
    const lines = new LogLines(tty, place)
    const first = framed([1, 'a\n'], [2, 'b\n'], [2, 'c\n'])
    const before = copied([...lines.push(first), ...lines.end()])
    expect(place.reopen()).toBe('1795418738.000000002')
    // Docker gives all of that time again, and what came after.
    const after = [...lines.push(framed([2, 'b\n'], [2, 'c\n'], [2, 'd\n'], [3, 'e\n'])), ...lines.end()]
    expect(textOf([...before, ...after], 1)).toBe(
      [message(1, 'a'), message(2, 'b'), message(2, 'c'), message(2, 'd'), message(3, 'e\n')].join('\n'),
    )
    // And once more: those of the last time alone are known.
    place.reopen()
    expect(lines.push(framed([3, 'e\n']))).toEqual([])
  })

  test('a line that was left unfinished is ended before the next one, and gone on with where it goes on', () => {
    const place = new LogPlace()
    const lines = new LogLines(tty, place)
    const pieces = copied([...lines.push(framed([1, 'left'])), ...lines.end()])
    place.reopen()
    pieces.push(...copied([...lines.push(framed([1, 'left'], [2, 'next\n'])), ...lines.end()]))
    pieces.push(...copied([...lines.push(framed([3, long])), ...lines.end()]))
    place.reopen()
    pieces.push(...copied([...lines.push(framed([3, long], [3, 'on\n'])), ...lines.end()]))
    expect(textOf(pieces, 1)).toBe([message(1, 'left'), message(2, 'next'), message(3, '16384 times xon\n')].join('\n'))
  })
})

test.each([false, true])('a line that its container left when it ended is ended once, for a terminal: %s', (tty) => {
  const place = new LogPlace()
  const lines = new LogLines(tty, place)
  const framed = (n: number, content: string): Buffer =>
    tty ? Buffer.from(message(n, content)) : frame(1, message(n, content))
  const stops = () => {
    place.reopen()
    return copied([...lines.end(), ...lines.close(), ...lines.close()])
  }
  const pieces = copied(lines.push(framed(1, 'left')))
  pieces.push(...stops())
  expect(textOf(pieces, 1)).toBe(message(1, 'left\n'))
  pieces.push(...copied(lines.push(Buffer.concat([framed(1, 'left'), framed(2, 'next\n')]))), ...stops())
  // Docker had not told all of a line, and does so after the next start.
  pieces.push(...copied(lines.push(framed(3, long))), ...stops())
  pieces.push(...copied(lines.push(Buffer.concat([framed(3, long), framed(3, 'more\n')]))), ...stops())
  const expected = ['left', 'next', '16384 times x', 'more']
  expect(textOf(pieces, 1)).toBe(expected.map((text, n) => message(Math.min(n + 1, 3), `${text}\n`)).join(''))
})

test('lines that were left on both outputs are ended in the order of their times', () => {
  const lines = new LogLines(false)
  lines.push(Buffer.concat([frame(1, message(7, 'left')), frame(2, message(6, 'before'))]))
  expect(lines.close().map(({ channel }) => channel)).toEqual([2, 1])
})

test('a line that was left unfinished at a terminal is ended also where Docker has its own message no more', () => {
  const lines = new LogLines(true, new LogPlace())
  const pieces = copied([...lines.push(Buffer.from(message(1, 'left'))), ...lines.end()])
  pieces.push(...copied([...lines.push(Buffer.from(message(2, 'next\n'))), ...lines.end()]))
  expect(textOf(pieces, 1)).toBe([message(1, 'left'), message(2, 'next\n')].join('\n'))
})

test('a time is told in seconds, to the nanosecond, wherever its clock stands', () => {
  expect(secondsOf('2026-11-23T07:25:38.123456789Z')).toBe('1795418738.123456789')
  expect(secondsOf('2026-11-23T08:25:38.123456789+01:00')).toBe('1795418738.123456789')
})
