import * as fc from 'fast-check'
import { validate } from './explain'
import { bytes, memory, newMemory } from './memory'

test.each([
  [512, 512],
  ['512', 512],
  ['512b', 512],
  ['1k', 1024],
  ['1kb', 1024],
  ['1KiB', 1024],
  ['512m', 536_870_912],
  ['1.5g', 1_610_612_736],
  ['1 GB', 1_073_741_824],
  ['2t', 2_199_023_255_552],
  ['0.7k', 716],
])('%j is %i bytes, as for Docker', (size, count) => {
  expect(bytes(validate(memory, size))).toBe(count)
})

test.each(['', 'm', '5x', '5bb', '-5', '1e3', '5 0m', ' 5', '5m ', '.5g', '5p', '9'.repeat(20), -1, 0.5, true, null])(
  'refuses %j',
  (size) => {
    expect(() => validate(memory, size)).toThrow('request: expected bytes, or a size such as 512m or 1.5g')
  },
)

test.each([0, '0', '0g', '0.1b'])('a new limit cannot be %j, which Docker takes for none asked for', (size) => {
  expect(() => validate(newMemory, size)).toThrow('expected bytes, 1 or more')
})

test('every size in whole units is that many bytes', () => {
  const powers = { k: 1, m: 2, g: 3, t: 4 }
  fc.assert(
    fc.property(
      fc.nat(8000),
      fc.constantFrom('k', 'm', 'g', 't'),
      fc.constantFrom('', 'b', 'ib'),
      (count, unit, end) => {
        expect(bytes(`${count}${unit}${end}`)).toBe(count * 1024 ** powers[unit])
      },
    ),
  )
})

test('whatever is taken is a number of bytes that Docker can count', () => {
  const digits = fc.stringMatching(/^[0-9.]{1,24}$/)
  fc.assert(
    fc.property(digits, fc.constantFrom('', 'b', 'k', 'm', 'g', 't'), (amount, unit) => {
      const size = `${amount}${unit}`
      if (memory.validate(size).error) return
      expect(Number.isSafeInteger(bytes(size))).toBe(true)
      expect(bytes(size)).toBeGreaterThanOrEqual(0)
    }),
  )
})
