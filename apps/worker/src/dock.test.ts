import { times } from '@deblox/fleet/names'
import { deferred } from '../../../test/support/deferred'
import { eventually } from '../../../test/support/eventually'
import { type DockOnDoubles, dockOnDoubles } from './testing/dock-double'

let on: DockOnDoubles
let fleet: DockOnDoubles['fleet']
let daemon: DockOnDoubles['daemon']
let lease: DockOnDoubles['lease']
let events: DockOnDoubles['events']
let dock: DockOnDoubles['dock']

beforeEach(() => {
  on = dockOnDoubles()
  ;({ fleet, daemon, lease, events, dock } = on)
})

afterEach(() => on.leave())

const gates = () => on.gates()
const gatesBecome = (own: boolean, cluster: boolean) => on.gatesBecome(own, cluster)

test('registers itself and opens its gates', async () => {
  await dock.start()
  expect(fleet.published).toEqual(['register'])
  await gatesBecome(true, true)
  await expect(dock.mayPlace()).resolves.toBe(true)
  expect(events.onRejoined).toHaveBeenCalled()
})

test('takes no work before it has seen to what others did while it was away', async () => {
  const seen = deferred()
  events.onReturned.mockImplementation(() => seen.promise)
  await dock.start()
  expect(events.onReturned).toHaveBeenCalledTimes(1)
  expect(gates()).toEqual({ own: false, cluster: false })
  seen.resolve()
  await gatesBecome(true, true)
})

test('tries again where it could not see to that', async () => {
  events.onReturned.mockRejectedValueOnce(new Error('the daemon ended the list'))
  await dock.start()
  await gatesBecome(true, true)
  expect(events.onReturned).toHaveBeenCalledTimes(2)
})

test('knows since when the name is its own before it takes work', async () => {
  fleet.since = 42
  const known: number[] = []
  dock.work.onChange(() => known.push(dock.actsSince()))
  await dock.start()
  await gatesBecome(true, true)
  expect(known).toEqual([42])
})

test('serves its own topic and takes no new containers while it is drained, and undoes that', async () => {
  fleet.drain = true
  await dock.start()
  await gatesBecome(true, false)
  await expect(dock.mayPlace()).resolves.toBe(false)
  fleet.drain = false
  await gatesBecome(true, true)
})

test('places nothing from the moment on at which a drain is acknowledged, whatever the last heartbeat said', async () => {
  await dock.start()
  await gatesBecome(true, true)
  fleet.drain = true
  await expect(dock.mayPlace()).resolves.toBe(false)
  expect(gates()).toEqual({ own: true, cluster: false })
})

test('is given no new containers while it is not registered, and what it had to tell is told anew afterwards', async () => {
  await dock.start()
  await gatesBecome(true, true)
  fleet.registered = false
  await gatesBecome(true, false)
  events.onRejoined.mockClear()
  fleet.registered = true
  await gatesBecome(true, true)
  expect(events.onRejoined).toHaveBeenCalledTimes(1)
})

test('takes what needs no daemon while no dock is ready, or nobody could ever register', async () => {
  fleet.registered = false
  fleet.others = []
  daemon.does = 'fail'
  await dock.start()
  await gatesBecome(false, true)
  await expect(dock.mayPlace()).resolves.toBe(false)
})

describe('a daemon that hangs', () => {
  beforeEach(async () => {
    await dock.start()
    await gatesBecome(true, true)
  })

  test('shuts the gates and is told to the fleet at once, and what waits for it is let go', async () => {
    const lost = dock.daemonLost()
    expect(lost.aborted).toBe(false)
    daemon.does = 'hang'
    const began = performance.now()
    await eventually(() => expect(fleet.told.at(-1)).toBe('unhealthy'))
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(gates()).toEqual({ own: false, cluster: false })
    expect(lost.aborted).toBe(true)
    expect(dock.daemonLost().aborted).toBe(true)
  })

  test('is taken for well again only when it does some real work', async () => {
    dock.daemon.set(false)
    daemon.works = false
    await eventually(() => expect(daemon.asked.filter((what) => what === 'list')).toHaveLength(2))
    expect(fleet.told.at(-1)).toBe('unhealthy')
    expect(dock.daemon.isOpen()).toBe(false)
    daemon.works = true
    await gatesBecome(true, true)
    expect(fleet.told.at(-1)).toBe('ok')
    expect(dock.daemonLost().aborted).toBe(false)
  })

  test('need not be found by a ping: a call that did not reach it is enough, and it is looked at again soon', async () => {
    const lost = dock.daemonLost()
    const began = performance.now()
    dock.daemon.set(false)
    expect(lost.aborted).toBe(true)
    expect(gates()).toEqual({ own: false, cluster: false })
    await eventually(() => expect(fleet.told).toContain('unhealthy'))
    await gatesBecome(true, true)
    // Not only when the next ping would have been due.
    expect(performance.now() - began).toBeLessThan(1_500)
  })
})

describe('a lease that was lost', () => {
  beforeEach(async () => {
    await dock.start()
    await gatesBecome(true, true)
  })

  test('ends what began under it, is won back, and what others did is seen to before work is taken', async () => {
    const seen = deferred()
    events.onReturned.mockImplementation(() => seen.promise)
    events.onRejoined.mockClear()
    const { lost } = lease
    fleet.holder = null
    await eventually(() => expect(fleet.holder).toBe('mine'))
    await eventually(() => expect(events.onReturned).toHaveBeenCalledTimes(2))
    expect(lost.aborted).toBe(true)
    expect(gates()).toEqual({ own: false, cluster: false })
    seen.resolve()
    await gatesBecome(true, true)
    expect(events.onRejoined).toHaveBeenCalled()
  })

  test('was lost by others too, so that nobody may be called dead for the time of a lease', async () => {
    expect(dock.graceMs()).toBe(0)
    fleet.holder = null
    await eventually(() => expect(dock.graceMs()).toBeGreaterThan(times.lease - times.heartbeat))
  })

  test('ends the worker where another one has it', async () => {
    fleet.holder = 'other'
    await eventually(() =>
      expect(events.onReplaced).toHaveBeenCalledWith(expect.objectContaining({ code: 'lease_lost' })),
    )
    expect(gates()).toEqual({ own: false, cluster: false })
  })

  test('is not taken again by a worker that stops', async () => {
    const acquire = jest.spyOn(fleet.fleet.docks, 'acquireLease')
    fleet.holder = null
    // A heartbeat is under way by this.
    dock.daemon.set(false)
    dock.drain()
    await dock.leave()
    expect(acquire).not.toHaveBeenCalled()
  })
})

test('registers anew where Redis has lost what it held, but not where it was unregistered', async () => {
  await dock.start()
  await gatesBecome(true, true)
  fleet.registered = false
  await gatesBecome(true, false)
  expect(fleet.published).toEqual(['register'])
  fleet.epoch = 'second'
  await eventually(() => expect(fleet.published).toEqual(['register', 'register']))
  events.onRejoined.mockClear()
  fleet.registered = true
  await gatesBecome(true, true)
  expect(events.onRejoined).toHaveBeenCalledTimes(1)
})
