import { getEventListeners } from 'node:events'
import { joined } from './joined'

const three = () => [new AbortController(), new AbortController(), new AbortController()] as const
const signalsOf = (controllers: readonly AbortController[]) => controllers.map(({ signal }) => signal)
const listeners = (controllers: readonly AbortController[]) =>
  controllers.map(({ signal }) => getEventListeners(signal, 'abort').length)

test.each([0, 1, 2] as const)('aborts with the reason of the source that does first, of three number %i', (first) => {
  const sources = three()
  const { signal } = joined(...signalsOf(sources))
  const heard: unknown[] = []
  signal.addEventListener('abort', () => heard.push(signal.reason))
  expect(signal.aborted).toBe(false)
  const reason = new Error('the first')
  sources[first].abort(reason)
  expect(signal.aborted).toBe(true)
  for (const source of sources) source.abort(new Error('a later one'))
  expect(signal.reason).toBe(reason)
  expect(heard).toEqual([reason])
})

test('has aborted where a source had, and listens to no other', () => {
  const [one, two, three_] = three()
  two.abort(new Error('the second'))
  three_.abort(new Error('the third'))
  const { signal } = joined(one.signal, two.signal, three_.signal)
  expect(signal.aborted).toBe(true)
  expect(signal.reason).toBe(two.signal.reason)
  expect(listeners([one, two, three_])).toEqual([0, 0, 0])
})

test('has aborted before whoever listens to it hears of it, and listens to no source then', () => {
  const sources = three()
  const { signal } = joined(...signalsOf(sources))
  let then: unknown
  signal.addEventListener('abort', () => (then = [signal.aborted, listeners(sources)]))
  sources[1].abort()
  expect(then).toEqual([true, [0, 0, 0]])
})

test('of a source that is among them twice it hears once', () => {
  const source = new AbortController()
  const { release } = joined(source.signal, source.signal)
  expect(listeners([source])).toEqual([1])
  release()
  expect(listeners([source])).toEqual([0])
})

test('listens to each source until it is released, and aborts no more then', () => {
  const sources = three()
  const { signal, release } = joined(...signalsOf(sources))
  expect(listeners(sources)).toEqual([1, 1, 1])
  release()
  expect(listeners(sources)).toEqual([0, 0, 0])
  for (const source of sources) source.abort()
  expect(signal.aborted).toBe(false)
  release()
})

test('leaves other listeners of its sources alone', () => {
  const source = new AbortController()
  const other = joined(source.signal)
  joined(source.signal).release()
  source.abort(new Error('over'))
  expect(other.signal.reason).toEqual(new Error('over'))
})

test('of no source it never aborts', () => {
  expect(joined().signal.aborted).toBe(false)
})
