import type { LayerProgress } from '@deblox/actions/pull'
import { Progress, type PullProgress } from './pull-progress'

let progress: Progress
let heard: PullProgress[]
let layers: Map<string, LayerProgress>

const say = (current: number) => {
  layers.set('a', { status: 'Downloading', current })
  progress.hear(layers)
}
const told = () => heard.map((one) => one.layers['a']?.current)

beforeEach(() => {
  jest.useFakeTimers()
  progress = new Progress('busybox')
  heard = []
  layers = new Map()
})

afterEach(() => jest.useRealTimers())

test('is told at once, and then at most twice a second, the latest', () => {
  progress.join((one) => void heard.push(one))
  for (let n = 1; n <= 100; n++) {
    say(n)
    jest.advanceTimersByTime(10)
  }
  jest.advanceTimersByTime(10_000)
  expect(told()).toEqual([1, 50, 100])
  expect(heard[0]).toEqual({ image: 'busybox', layers: { a: { status: 'Downloading', current: 1 } } })
})

test('whoever joins hears how far it is, and who has left hears no more', () => {
  const leave = progress.join((one) => void heard.push(one))
  say(1)
  leave()
  say(2)
  jest.advanceTimersByTime(1_000)
  expect(told()).toEqual([1])
  progress.join((one) => void heard.push(one))
  expect(told()).toEqual([1, 2])
})

test('its end is told, and nothing twice', () => {
  progress.join((one) => void heard.push(one))
  say(1)
  say(2)
  progress.end()
  expect(jest.getTimerCount()).toBe(0)
  jest.advanceTimersByTime(10_000)
  expect(told()).toEqual([1, 2])
})
