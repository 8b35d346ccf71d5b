import { type Consumption, silenceMs, Watchdog } from './watchdog'

const now = 1_000_000
const long = silenceMs + 1
/** Nothing was taken for long, although something waits and could have been. */
const silent: Consumption = { now, couldTakeSince: now - 2 * long, tookAt: now - 2 * long, oldestWaits: 2 * long }

test('a silence is met with new connections', () => {
  expect(new Watchdog().look(silent)).toBe('rebuild')
})

test.each<[string, Partial<Consumption>]>([
  ['nothing waits', { oldestWaits: null }],
  ['what waits has not waited for long', { oldestWaits: silenceMs - 1 }],
  ['something was taken lately', { tookAt: now - silenceMs + 1 }],
  ['there was no room until lately', { couldTakeSince: now - silenceMs + 1 }],
  ['there is no room', { couldTakeSince: null }],
])('all is fine where %s', (_, seen) => {
  expect(new Watchdog().look({ ...silent, ...seen })).toBe('fine')
})

test('new connections have as long to prove themselves; then another process must do better', () => {
  const dog = new Watchdog()
  dog.look(silent)
  const later = (ms: number) => ({ ...silent, now: now + ms })
  expect(dog.look(later(silenceMs - 1))).toBe('fine')
  expect(dog.look(later(silenceMs))).toBe('end')
})

test('new connections that have taken something are given up only after another silence and another try', () => {
  const dog = new Watchdog()
  dog.look(silent)
  const took = { ...silent, tookAt: now + 10, now: now + 10 + silenceMs }
  expect(dog.look({ ...took, now: now + 100 })).toBe('fine')
  expect(dog.look(took)).toBe('rebuild')
  expect(dog.look({ ...took, now: took.now + silenceMs })).toBe('end')
})

test('what was taken before the first look after the rebuild counts as well', () => {
  const dog = new Watchdog()
  dog.look(silent)
  expect(dog.look({ ...silent, tookAt: now + 10, now: now + 2 * silenceMs })).toBe('rebuild')
})
