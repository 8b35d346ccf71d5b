import { randomBytes } from 'node:crypto'
import { lineKeys, lineOf, nameOf, Opener, Sealer } from './frames'
import { Parts, partsOf, sizeOf } from './pieces'

const id = randomBytes(16)
const secret = randomBytes(32)
const keys = lineKeys(secret, id)
const ends = (mayMiss = false) => ({ sealer: new Sealer(id, keys.up), opener: new Opener(keys.up, mayMiss) })

function frame(...parts: [channel: number, text: string][]): Parts {
  const made = new Parts()
  for (const [channel, text] of parts) made.add(channel, Buffer.from(text))
  return made
}

test('a frame is opened as it was sealed, and says whose it is', () => {
  const { sealer, opener } = ends()
  const values = sealer.seal('tell', Buffer.from('{}'), [Buffer.from('a'), Buffer.alloc(100_000, 7)])
  expect(lineOf(values)).toBe(nameOf(id))
  expect(Buffer.concat(values).includes(Buffer.alloc(16, 7))).toBe(false)
  const bodies = [Buffer.from('a'), Buffer.alloc(100_000, 7)]
  expect(opener.open(values)).toEqual({ kind: 'tell', payload: Buffer.from('{}'), bodies })
})

test('no two frames are alike, nor are the two directions', () => {
  const { sealer } = ends()
  const one = sealer.seal('eof', Buffer.alloc(20))
  const two = sealer.seal('eof', Buffer.alloc(20))
  expect(one[0]?.subarray(24)).not.toEqual(two[0]?.subarray(24))
  expect(keys.up).not.toEqual(keys.down)
  expect(lineKeys(secret, randomBytes(16)).up).not.toEqual(keys.up)
  expect(() => new Opener(keys.down).open(one)).toThrow('somebody else')
})

test('one that came before is passed over, one that is missing is not', () => {
  const { sealer, opener } = ends()
  const [first, second, third] = [1, 2, 3].map((n) => sealer.seal('tell', Buffer.of(n)))
  expect(opener.open(first ?? [])).not.toBeNull()
  expect(opener.open(first ?? [])).toBeNull()
  expect(() => opener.open(third ?? [])).toThrow('expected frame 1, got frame 2')
  expect(opener.open(second ?? [])).not.toBeNull()
  expect(opener.open(third ?? [])).not.toBeNull()
})

test('of beats the latest is enough, and none that is older', () => {
  const { sealer, opener } = ends(true)
  const [first, second] = [1, 2].map((n) => sealer.seal('beat', Buffer.of(n)))
  expect(opener.open(second ?? [])).not.toBeNull()
  expect(opener.open(first ?? [])).toBeNull()
})

test('what was changed anywhere is not opened', () => {
  const { sealer } = ends()
  const values = sealer.seal('data', frame([1, 'abc'], [2, 'de']).heads(), frame([1, 'abc'], [2, 'de']).bodies())
  for (const [n, value] of values.entries()) {
    for (let at = n === 0 ? 16 : 0; at < value.length; at++) {
      const changed = values.map((one) => Buffer.from(one))
      const byte = changed[n]?.[at] ?? 0
      changed[n]?.writeUInt8(byte ^ 1, at)
      expect(() => new Opener(keys.up).open(changed)).toThrow('call: expected frame')
    }
  }
  expect(() => new Opener(keys.up).open(values.slice(0, -1))).toThrow('somebody else')
  expect(() => new Opener(keys.up).open([])).toThrow('something shorter')
})

test('nobody can move where one part ends and the next begins', () => {
  const { sealer, opener } = ends()
  const parts = frame([1, 'abc'], [2, 'de'])
  const [head = Buffer.of(), ...rest] = sealer.seal('data', parts.heads(), parts.bodies())
  const moved = Buffer.concat(rest)
  const opened = opener.open([head, moved.subarray(0, 4), moved.subarray(4)])
  expect(opened).not.toBeNull()
  expect(() => opened && partsOf(opened)).toThrow('whole part')
})

test('small parts of one channel in a row become one, and all are counted alike on both ends', () => {
  const parts = frame([1, 'a'], [1, 'b'], [2, 'c'], [1, 'd'], [1, ''])
  const { sealer, opener } = ends()
  const opened = opener.open(sealer.seal('data', parts.heads(), parts.bodies()))
  if (!opened) throw new Error('expected a frame')
  expect(partsOf(opened).map(({ channel, bytes }) => [channel, bytes.toString()])).toEqual([
    [1, 'ab'],
    [2, 'c'],
    [1, 'd'],
  ])
  expect(sizeOf(opened)).toBe(parts.size)
})

test('a frame has no more than so many parts, and large ones are not copied', () => {
  const parts = new Parts()
  const large = Buffer.alloc(10_000)
  parts.add(1, large)
  expect(parts.bodies()[0]).toBe(large)
  for (let n = 1; n < 32; n++) parts.add(n % 2, Buffer.of(n))
  expect(parts.headFor(0, 1)).toBeUndefined()
  expect(parts.headFor(1, 1)).toBe(0)
})
