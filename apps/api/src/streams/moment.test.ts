import fc from 'fast-check'
import { moment, secondsOf } from './moment'

const now = Date.parse('2026-11-23T12:00:00Z')

test.each([
  ['1795420800', '1795420800'],
  ['1795420800.123456789', '1795420800.123456789'],
  ['1h30m', `${now / 1000 - 5_400}.000`],
  ['2026-11-23T07:30:00Z', '1795419000'],
  ['2026-11-23t08:30:00.5+01:00', '1795419000.5'],
  ['2026-11-23T07:30:00.123456789123Z', '1795419000.123456789'],
  ['2024-02-29T23:59:59-23:59', '1709337539'],
])('%s is a moment', (text, seconds) => {
  expect(moment.validate(text).error).toBeUndefined()
  expect(secondsOf('since', text, now)).toBe(seconds)
})

test.each([
  '2026-02-30T00:00:00Z',
  '2026-02-29T12:00:00+01:00',
  '2026-04-31T00:00:00.5Z',
  '2026-01-01T24:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-00T00:00:00Z',
  '2026-01-01T00:60:00Z',
  '2026-01-01T00:00:60Z',
  '2026-01-01T00:00:00+24:00',
  '1969-12-31T23:59:59Z',
])('%s is none: there is no such day or time', (text) => {
  const refused = { code: 'invalid_request', message: expect.stringContaining('since: expected a time such as') }
  expect(() => secondsOf('since', text, now)).toThrow(expect.objectContaining(refused))
})

function taken(text: string): unknown {
  try {
    return secondsOf('since', text, now)
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

test('every day that there is is taken as it is, and no other one', () => {
  const parts = fc.tuple(
    fc.integer({ min: 1971, max: 2099 }),
    fc.integer({ min: 0, max: 15 }),
    fc.integer({ min: 0, max: 39 }),
  )
  fc.assert(
    fc.property(parts, ([year, month, day]) => {
      const two = (n: number) => String(n).padStart(2, '0')
      const at = Date.UTC(year, month - 1, day)
      const isThere = new Date(at).getUTCMonth() === month - 1 && new Date(at).getUTCDate() === day
      expect(taken(`${year}-${two(month)}-${two(day)}T00:00:00Z`)).toBe(isThere ? `${at / 1000}` : 'invalid_request')
    }),
  )
})
