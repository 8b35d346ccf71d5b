import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { readStream, type StreamReader } from './stream-reader'

const use = useFleet()
let read: string[]
let reader: StreamReader

const stream = () => use.fleet().keys.frames('replica-1')
const add = (value: string) => use.redis().xadd(stream(), '*', 'f', value)

/** How often something was taken away. */
async function takenAway(): Promise<number> {
  const calls = /cmdstat_xtrim:calls=(\d+)/.exec(await use.redis().info('commandstats'))
  return Number(calls?.[1] ?? 0)
}

beforeEach(async () => {
  await use.redis().config('RESETSTAT')
  read = []
  reader = readStream({
    url: use.server().url,
    stream: stream(),
    blockMs: 300,
    onEntries: (entries) => entries.forEach(([, value]) => read.push(String(value).slice(0, 8))),
    onError: () => {},
  })
})

afterEach(() => reader.close())

test('what is small is not taken away one by one: that would be a write for each', async () => {
  for (let n = 0; n < 20; n++) {
    await add(`${n}`)
    await eventually(() => read.length === n + 1, undefined, { every: 1 })
  }
  expect(read).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`))
  // None, unless the machine is so slow that it is quiet in between.
  expect(await takenAway()).toBeLessThan(5)
})

test('when nothing comes any more nothing of it stays', async () => {
  await add('one')
  await eventually(() => read.length === 1)
  await eventually(async () => (await use.redis().xlen(stream())) === 0)
  await add('two')
  await eventually(() => read.length === 2)
  expect(read).toEqual(['one', 'two'])
})

test('of much that is read little stays, also while more comes', async () => {
  const piece = 'x'.repeat(64 * 1024)
  for (let n = 1; n <= 40; n++) {
    await add(piece)
    await eventually(() => read.length === n, undefined, { every: 1 })
  }
  expect(await use.redis().xlen(stream())).toBeLessThanOrEqual(6)
  expect(await takenAway()).toBeGreaterThan(0)
})
