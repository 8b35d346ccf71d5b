import { frameCost, windowBytes } from './limits'
import { partHeadBytes } from './pieces'
import { costOf, Incoming } from './window'

const part = (length: number, channel = 0) => ({ channel, bytes: Buffer.alloc(length) })
const sizeOf = (...lengths: number[]) => lengths.reduce((sum, length) => sum + length + partHeadBytes, 0)

function reader() {
  const granted: number[] = []
  let left = 0
  const incoming = new Incoming(
    (bytes) => void granted.push(bytes),
    () => left++,
  )
  return { incoming, granted, left: () => left, parts: incoming[Symbol.asyncIterator]() }
}

test('the other end may send more when half of the window was read, and gets back all that it used', async () => {
  const { incoming, granted, parts } = reader()
  const used = 50
  for (let n = 0; n < used; n++) {
    incoming.add([part(5_000), part(5_000, 1)], sizeOf(5_000, 5_000))
    await parts.next()
    await parts.next()
  }
  const all = used * costOf(sizeOf(5_000, 5_000))
  const back = granted.reduce((sum, bytes) => sum + bytes, 0)
  expect(granted.every((bytes) => bytes >= windowBytes / 2 && bytes <= windowBytes)).toBe(true)
  expect(all - back).toBeLessThan(windowBytes / 2)
  expect(costOf(0)).toBe(frameCost)
})

test('more than a window is not taken', () => {
  const { incoming } = reader()
  const most = Math.floor(windowBytes / costOf(sizeOf(60_000)))
  for (let n = 0; n < most; n++) incoming.add([part(60_000)], sizeOf(60_000))
  expect(() => incoming.add([part(60_000)], sizeOf(60_000))).toThrow('at most')
})

test('who waits is given what comes, in its order, however many wait', async () => {
  const { incoming, parts } = reader()
  const waiting = [parts.next(), parts.next(), parts.next()]
  incoming.add([part(1), part(2, 1)], sizeOf(1, 2))
  incoming.end()
  const got = await Promise.all(waiting)
  expect(got.map(({ value }) => (value as { bytes: Buffer } | undefined)?.bytes.length)).toEqual([1, 2, undefined])
})

test('what has arrived is read before it ends, or fails', async () => {
  const { incoming, parts } = reader()
  incoming.add([part(1)], sizeOf(1))
  incoming.end(new Error('broken'))
  await expect(parts.next()).resolves.toMatchObject({ value: { channel: 0 } })
  await expect(parts.next()).rejects.toThrow('broken')
})

test('what is dropped is not read', async () => {
  const { incoming, parts } = reader()
  incoming.add([part(1)], sizeOf(1))
  incoming.drop(new Error('left'))
  await expect(parts.next()).rejects.toThrow('left')
})

test('a backlog that never ends is no array that only grows', async () => {
  const { incoming, parts } = reader()
  incoming.add([part(1)], sizeOf(1))
  for (let n = 0; n < 10_000; n++) {
    incoming.add([part(2)], sizeOf(2))
    const { value } = (await parts.next()) as { value: { bytes: Buffer } }
    expect(value.bytes.length).toBe(n === 0 ? 1 : 2)
  }
  expect((incoming as unknown as { arrived: unknown[] }).arrived.length).toBeLessThan(2_000)
})

test('it is read once, and whoever leaves before its end says so', async () => {
  const { incoming, parts, left } = reader()
  expect(() => incoming[Symbol.asyncIterator]()).toThrow('again')
  await parts.return?.()
  expect(left()).toBe(1)
  incoming.end()
  await parts.return?.()
  expect(left()).toBe(1)
})
