import type { Channel } from '@deblox/fleet/calls/call'
import fc from 'fast-check'
import { LogPlace } from './log-place'

interface Message {
  channel: Channel
  /** In milliseconds. */
  at: number
  text: string
}

const base = Date.parse('2026-11-23T07:25:38Z')
const timeOf = (at: number): string => new Date(base + at).toISOString().replace('Z', '000000Z')

/** What Docker gives of a log that is asked for since then, as far as it goes; of that what is new. */
function read(place: LogPlace, log: readonly Message[], since: string | undefined, most = log.length): string[] {
  const given = log.filter(({ at }) => since === undefined || (base + at) / 1_000 >= Number(since))
  return given.slice(0, most).flatMap(({ channel, at, text }) => {
    const time = Buffer.from(timeOf(at))
    return place.passes(channel, time, 0, time.length) ? text : []
  })
}

const out = (at: number, text: string): Message => ({ channel: 1, at, text })
const err = (at: number, text: string): Message => ({ channel: 2, at, text })

test('what was kept behind a later message of the other output is not lost', () => {
  const log = [out(1_000, 'one'), err(2_000, 'bad'), out(1_999, 'two')]
  const place = new LogPlace()
  expect(read(place, log, undefined, 2)).toEqual(['one', 'bad'])
  expect(read(place, log, place.reopen())).toEqual(['two'])
  expect(read(place, log, place.reopen())).toEqual([])
})

test('an output that is silent since long does not make all be read again', () => {
  const place = new LogPlace()
  read(place, [err(0, 'once'), out(50_000, 'late')], undefined)
  expect(place.reopen()).toBe(`${base / 1_000 + 49}.000000000`)
})

test('of an output of which nothing was asked for nothing comes that was before', () => {
  const place = new LogPlace()
  read(place, [out(5_000, 'with tail=1')], undefined)
  const log = [out(4_800, 'earlier'), err(4_900, 'before'), out(5_000, 'with tail=1'), err(5_000, 'after')]
  expect(read(place, log, place.reopen())).toEqual(['after'])
})

test('a clock that is set back makes nothing be lost that is new', () => {
  const place = new LogPlace()
  expect(read(place, [out(5_000, 'a'), out(3_000, 'b'), out(3_000, 'c')], undefined)).toEqual(['a', 'b', 'c'])
})

test('any two outputs, wherever Docker ends its answers: each message comes once', () => {
  const message = fc.record({ isOut: fc.boolean(), pause: fc.constantFrom(0, 0, 1, 300, 1_500), late: fc.nat(900) })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 16 }), fc.array(fc.nat(16), { maxLength: 5 }), (messages, ends) => {
      let now = 10_000
      const last: Record<number, number> = { 1: 10_000, 2: 10_000 }
      // Each output has its messages in order; between the two their times may be turned round.
      const log = messages.map(({ isOut, pause, late }, n): Message => {
        now += pause
        const channel = isOut ? 1 : 2
        const at = Math.max(last[channel] ?? 0, now - late)
        last[channel] = at
        return { channel, at, text: String(n) }
      })
      const place = new LogPlace()
      const first = [out(10_000, 'out'), err(10_000, 'err')]
      const all = [...first, ...log]
      const heard = read(place, first, undefined)
      for (const end of ends) heard.push(...read(place, all, place.reopen(), end))
      heard.push(...read(place, all, place.reopen()))
      expect(heard.toSorted()).toEqual(all.map(({ text }) => text).toSorted())
    }),
    { numRuns: 1_000 },
  )
})
