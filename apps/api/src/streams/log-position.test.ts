import fc from 'fast-check'
import { logForm } from './log-forms'
import { isDropped, type LogEvent, LogReader, type Stream } from './log-lines'
import { LogPosition } from './log-position'

/** A part of a line as Docker keeps it: each has the time at which its line began. */
interface Part {
  stream: Stream
  at: number
  text: string
}

const base = Date.parse('2026-11-23T07:30:00Z')

/** `at` in milliseconds after that. */
const time = (at: number): string => new Date(base + at).toISOString().replace('Z', '000000Z')

const lineBreak = '\n'

/** What is heard of a log by whoever was left off at `lastId`: of each event its id and its line. */
function hear(log: readonly Part[], lastId?: string): { id: string; line: string }[] {
  const position = LogPosition.from(lastId) ?? LogPosition.none()
  const form = logForm('text/event-stream', { timestamps: false, from: position })
  const reader = new LogReader(1_000)
  const heard: string[] = []
  const say = (events: LogEvent[]) => {
    // A string each, of as many as are unread.
    for (const event of position.unread(events)) if (!isDropped(event)) heard.push(form.lines([event]) as string)
  }
  const begun = new Set<Stream>()
  for (const { stream, at, text } of log) {
    // As Docker does with `since`.
    if (position.time !== null && time(at) < position.time) continue
    const head = begun.has(stream) ? '' : `${time(at)} `
    if (text.endsWith(lineBreak)) begun.delete(stream)
    else begun.add(stream)
    say(reader.read({ channel: stream === 'stdout' ? 1 : 2, bytes: Buffer.from(head + text) }))
  }
  say(reader.rest())
  return heard.map((event) => {
    const [, id = ''] = /^id: (.*)$/m.exec(event) ?? []
    const [, data = '{}'] = /^data: (.*)$/m.exec(event) ?? []
    return { id, line: (JSON.parse(data) as { line: string }).line }
  })
}

/** Whoever is cut off after any event and comes back has heard each line once. */
function expectNothingLostOrTwice(log: readonly Part[]): void {
  const all = hear(log)
  for (const [count, { id }] of all.entries()) {
    const lines = [...all.slice(0, count + 1), ...hear(log, id)].map(({ line }) => line)
    expect(lines.toSorted()).toEqual(all.map(({ line }) => line).toSorted())
  }
}

const out = (at: number, text: string): Part => ({ stream: 'stdout', at, text })
const err = (at: number, text: string): Part => ({ stream: 'stderr', at, text })

test('a line that began before one of the other output and ended after it comes to whoever comes back between them', () => {
  const log = [
    out(1_000, 'first\n'),
    out(2_000, 'a long '),
    err(3_000, 'e1\n'),
    err(9_000, 'e2\n'),
    out(2_000, 'line\n'),
    out(10_000, 'last\n'),
  ]
  expect(hear(log).map(({ line }) => line)).toEqual(['first', 'e1', 'e2', 'a long line', 'last'])
  expectNothingLostOrTwice(log)
  const [, , afterE2] = hear(log)
  expect(hear(log, afterE2?.id).map(({ line }) => line)).toEqual(['a long line', 'last'])
})

test('last lines without a break come in the order of their times, and to nobody twice', () => {
  const log = [err(1_000, 'bad'), out(2_000, 'good')]
  expect(hear(log).map(({ line }) => line)).toEqual(['bad', 'good'])
  expectNothingLostOrTwice(log)
  expectNothingLostOrTwice([out(1_000, 'a'), err(1_001, 'b\n'), err(9_000, 'c')])
})

test('what is logged at once on both outputs may have the order of its times turned round', () => {
  expectNothingLostOrTwice([err(1_000, 'e0\n'), out(2_000, 'o\n'), err(1_999, 'e1\n'), out(2_001, 'p\n')])
})

test('an output that is silent since long is not read again from where it ended', () => {
  const log = [err(0, 'once\n'), ...Array.from({ length: 50 }, (_, n) => out(1_000 * n + 1_000, `${n}\n`))]
  const last = hear(log).at(-1)
  expect(last?.id).toBe(`stderr=${time(49_000)}/0,stdout=${time(50_000)}/1`)
  expect(LogPosition.from(last?.id)?.time).toBe(time(49_000))
})

test('of an output of which nothing was asked nothing is told that was before', () => {
  const [first] = hear([out(5_000, 'asked for with tail=1\n')])
  const log = [err(4_900, 'before\n'), out(5_000, 'asked for with tail=1\n'), err(5_000, 'after\n')]
  expect(hear(log, first?.id).map(({ line }) => line)).toEqual(['after'])
})

test('any two outputs, however their lines lie across, and cut off wherever', () => {
  const part = fc.record({
    isOut: fc.boolean(),
    pause: fc.constantFrom(0, 0, 1, 400, 1_500),
    ends: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
      let now = 0
      const open = new Map<Stream, number>()
      const log = parts.map(({ isOut, pause, ends }, n): Part => {
        now += pause
        const stream = isOut ? 'stdout' : 'stderr'
        const at = open.get(stream) ?? now
        if (ends) open.delete(stream)
        else open.set(stream, at)
        return { stream, at, text: `${n}${ends ? lineBreak : ''}` }
      })
      expectNothingLostOrTwice(log)
    }),
    { numRuns: 500 },
  )
})

test.each(['', 'x', '2026-11-23T07:30:00.000000001Z/1', 'stdout=2026-11-23T07:30:00Z', 'stdin=2026-11-23T07:30:00Z/1'])(
  'what is no position is none: %j',
  (text) => expect(LogPosition.from(text)).toBeUndefined(),
)
