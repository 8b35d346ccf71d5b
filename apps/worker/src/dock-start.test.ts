import { times } from '@deblox/fleet/names'
import { eventually } from '../../../test/support/eventually'
import { type DockOnDoubles, dockOnDoubles } from './testing/dock-double'

let on: DockOnDoubles
let fleet: DockOnDoubles['fleet']
let daemon: DockOnDoubles['daemon']
let dock: DockOnDoubles['dock']

beforeEach(() => {
  on = dockOnDoubles()
  ;({ fleet, daemon, dock } = on)
})

afterEach(() => on.leave())

const gatesBecome = (own: boolean, cluster: boolean) => on.gatesBecome(own, cluster)

test.each([
  [3_000, 7_000],
  [60_000, 0],
])('calls nobody dead at first where Redis is %d ms old: for %d ms', async (uptimeMs, graceMs) => {
  fleet.uptimeMs = uptimeMs
  await dock.start()
  expect(dock.graceMs()).toBeGreaterThan(graceMs - 3_000)
  expect(dock.graceMs()).toBeLessThanOrEqual(graceMs)
})

describe('a stop during the start', () => {
  const stop = new Error('stop')

  test('ends the wait for another’s lease', async () => {
    fleet.holder = 'dead'
    const stopping = new AbortController()
    const started = dock.start(stopping.signal)
    stopping.abort(stop)
    await expect(started).rejects.toMatchObject({ name: 'AbortError' })
    expect(fleet.holder).toBe('dead')
  })

  test('gives the lease back where it was taken', async () => {
    daemon.does = 'hang'
    const stopping = new AbortController()
    const started = dock.start(stopping.signal)
    await eventually(() => expect(daemon.asked).toContain('ping'))
    expect(fleet.holder).toBe('mine')
    stopping.abort(stop)
    await expect(started).rejects.toBe(stop)
    expect(fleet.holder).toBeNull()
  })

  test('before it takes nothing', async () => {
    await expect(dock.start(AbortSignal.abort(stop))).rejects.toBe(stop)
    expect(fleet.holder).toBeNull()
    expect(fleet.published).toEqual([])
  })

  test('that comes after it is no longer its business', async () => {
    const stopping = new AbortController()
    await dock.start(stopping.signal)
    await gatesBecome(true, true)
    stopping.abort(stop)
    // Heartbeats go on until the dock is drained.
    fleet.drain = true
    await gatesBecome(true, false)
    expect(dock.work.isOpen()).toBe(true)
  })
})

test('a start is refused where another worker lives, whose lease it leaves alone', async () => {
  fleet.holder = 'other'
  const { docks } = fleet.fleet
  let left = times.lease
  docks.acquireLease = async () => ({ acquired: false, heldForMs: left++ })
  await expect(dock.start()).rejects.toMatchObject({ code: 'lease_lost' })
  expect(fleet.holder).toBe('other')
})
