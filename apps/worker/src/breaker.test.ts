import fc from 'fast-check'
import { times } from '@deblox/fleet/names'
import { Breaker } from './breaker'

/** A breaker after its first probe has succeeded. */
function closed(): Breaker {
  const breaker = new Breaker()
  breaker.probe()
  breaker.succeeded()
  return breaker
}

test('is open before anything was asked, and a probe closes it', () => {
  const breaker = new Breaker()
  expect(breaker.state).toBe('open')
  expect(breaker.probe()).toBe(true)
  expect(breaker.state).toBe('half-open')
  breaker.succeeded()
  expect(breaker.state).toBe('closed')
  expect(breaker.pauseMs).toBe(times.heartbeat)
})

test.each(['look', 'call'] as const)('opens by a %s that fails', (by) => {
  const breaker = closed()
  breaker.failed(by)
  expect(breaker.state).toBe('open')
})

test('lets one probe through at a time, and none while it is closed', () => {
  const breaker = new Breaker()
  expect(breaker.probe()).toBe(true)
  expect(breaker.probe()).toBe(false)
  breaker.failed('look')
  expect(breaker.probe()).toBe(true)
  breaker.succeeded()
  expect(breaker.probe()).toBe(false)
})

test('is not closed by an answer that was on its way when it opened', () => {
  const breaker = closed()
  breaker.failed('call')
  breaker.succeeded()
  expect(breaker.state).toBe('open')
})

test('does not take the failure of an older call for that of its probe', () => {
  const breaker = new Breaker()
  breaker.probe()
  breaker.failed('call')
  expect(breaker.state).toBe('half-open')
})

test('is probed soon, then ever more rarely up to every 2 s, and soon again the next time', () => {
  const breaker = closed()
  breaker.failed('look')
  const pauses = Array.from({ length: 6 }, () => {
    const { pauseMs } = breaker
    breaker.probe()
    breaker.failed('look')
    return pauseMs
  })
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000])
  breaker.probe()
  breaker.succeeded()
  breaker.failed('call')
  expect(breaker.pauseMs).toBe(250)
})

test('whatever happens, it closes by nothing but a probe that succeeds', () => {
  const events = fc.array(fc.constantFrom('probe', 'succeeded', 'look', 'call'), { maxLength: 40 })
  fc.assert(
    fc.property(events, (happened) => {
      const breaker = new Breaker()
      for (const event of happened) {
        const before = breaker.state
        if (event === 'probe') breaker.probe()
        else if (event === 'succeeded') breaker.succeeded()
        else breaker.failed(event)
        const hasClosed = before !== 'closed' && breaker.state === 'closed'
        expect(hasClosed).toBe(before === 'half-open' && event === 'succeeded')
        expect(breaker.pauseMs).toBeGreaterThanOrEqual(250)
        expect(breaker.pauseMs).toBeLessThanOrEqual(2_000)
      }
    }),
  )
})
