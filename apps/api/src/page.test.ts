import fc from 'fast-check'
import { pageFields, readCursor, writeCursor } from './page'

test('a cursor gives back the position that it was made from, whatever is in it', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 4 }), (position) => {
      const cursor = writeCursor(position)
      expect(cursor).toMatch(/^[\w-]+$/)
      expect(readCursor(cursor, position.length)).toEqual(position)
    }),
  )
})

test.each([
  '',
  'abc',
  '!',
  writeCursor(['a']),
  writeCursor(['a', 'b', 'c']),
  encoded([1, 2]),
  encoded({ 0: 'a' }),
  encoded(null),
])('%p is none of ours', (cursor) => {
  expect(() => readCursor(cursor, 2)).toThrow(
    expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(/^cursor: expected .*, got "/) }),
  )
})

test('no text at all is taken for a cursor by accident, or told in full', () => {
  const read = (text: string): { parts: number; told: number } => {
    try {
      return { parts: readCursor(text, 2).length, told: 0 }
    } catch (error) {
      return { parts: 2, told: (error as Error).message.length }
    }
  }
  fc.assert(
    fc.property(fc.string({ maxLength: 2_000 }), (text) => {
      const { parts, told } = read(text)
      expect(parts).toBe(2)
      expect(told).toBeLessThan(500)
    }),
  )
})

test('a page has a hundred items unless told, and a thousand at the most', () => {
  expect(pageFields.limit.validate(undefined).value).toBe(100)
  for (const limit of [0, 1001, 1.5]) expect(pageFields.limit.validate(limit).error).toBeDefined()
})

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
