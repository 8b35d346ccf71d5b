import { DebloxError } from '@deblox/actions/errors'
import type { Fleet } from '@deblox/fleet/fleet'
import { times } from '@deblox/fleet/names'
import { eventually } from '../../../test/support/eventually'
import { submitTo } from './submit'
import { action, caller, fleetDouble, id, outcome } from './testing/desk-double'

describe('where a job goes', () => {
  test.each([
    ['create-container', { image: 'busybox' }, ['deblox.docker']],
    ['create-container', { image: 'busybox', hostname: 'dock-b' }, ['deblox.docker.dock-b']],
    ['create-raw-container', { body: { Image: 'busybox' }, hostname: 'dock-b' }, ['deblox.docker.dock-b']],
    ['create-container', { image: 'busybox', hostname: 'dock-b', instances: 2 }, Array(2).fill('deblox.docker.dock-b')],
    ['list-containers', {}, ['deblox.docker']],
    ['list-containers', { hostname: 'dock-c' }, ['deblox.docker.dock-c']],
    ['stop-container', { id: 'web' }, ['deblox.docker.dock-b']],
    ['stop-container', { id: 'web', hostname: 'dock-c' }, ['deblox.docker.dock-c']],
    ['register', { hostname: 'dock-new' }, ['deblox.docker']],
  ])('%s %j: to %j', async (name, request, topics) => {
    const double = fleetDouble()
    await double.submit(action(name), request, caller())
    expect(double.topics()).toEqual(topics)
  })

  test('instances are dealt round-robin over the ready docks, and the next deal goes on from there', async () => {
    const double = fleetDouble()
    await double.submit(action('create-container'), { image: 'busybox', instances: 4 }, caller())
    await double.submit(action('create-container'), { image: 'busybox', instances: 2 }, caller())
    expect(double.topics().map((topic) => topic.slice(-1))).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
  })

  test('with no dock ready, instances wait for whichever comes', async () => {
    const double = fleetDouble({ ready: [] })
    await double.submit(action('create-container'), { image: 'busybox', instances: 2 }, caller())
    expect(double.topics()).toEqual(['deblox.docker', 'deblox.docker'])
  })

  test('a dock that is not registered is refused, and nothing is accepted', async () => {
    const double = fleetDouble()
    const request = { image: 'busybox', hostname: 'nowhere' }
    await expect(double.submit(action('create-container'), request, caller())).rejects.toMatchObject({
      code: 'dock_not_found',
    })
    expect(double.records()).toEqual([])
  })

  test('a container that nobody has is refused, and nothing is accepted', async () => {
    const double = fleetDouble()
    await expect(double.submit(action('stop-container'), { id: 'nothing' }, caller())).rejects.toMatchObject({
      code: 'container_not_found',
    })
    expect(double.records()).toEqual([])
  })
})

describe('what a dock is sent', () => {
  test('is the full id, never the name or prefix that was asked for', async () => {
    const double = fleetDouble()
    await double.submit(action('stop-container'), { id: 'web', timeout: 3, hostname: 'dock-b' }, caller())
    expect(double.records()[0]?.params).toEqual({ id, timeout: 3 })
    expect(double.located).toEqual([['web', 'dock-b']])
  })

  test('is the template’s spec with the request’s own fields over it, without routing', async () => {
    const double = fleetDouble()
    const request = { template: 'test', image: 'own', instances: 1 }
    await double.submit(action('create-container'), request, caller())
    expect(double.records()[0]?.params).toEqual({ image: 'own', env: { A: '1' }, template: 'test' })
  })

  test('says who asked, who waits, and whether instances were asked for', async () => {
    const double = fleetDouble()
    await double.submit(action('create-container'), { image: 'busybox', instances: 1 }, caller())
    await double.submit(action('create-container'), { image: 'busybox' }, caller())
    expect(double.records()).toMatchObject([
      { actor: 'anna', owner: 'anna', replyTo: 'replies', numbered: true },
      { numbered: false },
    ])
  })
})

test('a dock that is unregistered by whoever may is forgotten, with the key that secrets were sealed to', async () => {
  const double = fleetDouble()
  await double.submit(action('register'), { hostname: 'dock-a' }, caller())
  expect(double.forgotten).toEqual([])
  await double.submit(action('unregister'), { hostname: 'dock-a' }, caller())
  expect(double.forgotten).toEqual(['dock-a'])
})

describe('a repeated key', () => {
  const key = { idempotencyKey: 'once' }

  test('gives the earlier job, also where its container is gone since', async () => {
    const double = fleetDouble()
    const first = await double.submit(action('delete-container'), { id: 'web' }, caller(key))
    const { located } = double
    located.length = 0
    const second = await double.submit(action('delete-container'), { id: 'web' }, caller(key))
    expect(second.record.id).toBe(first.record.id)
    expect(double.records()).toHaveLength(1)
    // Not by the name, which may be another's by now.
    expect(located).toEqual([[id, undefined]])
  })

  test('with the fields in another order is the same request', async () => {
    const double = fleetDouble()
    await double.submit(action('create-container'), { image: 'a', name: 'b' }, caller(key))
    await double.submit(action('create-container'), { name: 'b', image: 'a' }, caller(key))
    expect(double.records()).toHaveLength(1)
  })

  test.each([
    ['another action', 'start-container', { id: 'web' }],
    ['other fields', 'stop-container', { id: 'web', timeout: 1 }],
  ])('with %s is refused', async (_, name, request) => {
    const double = fleetDouble()
    await double.submit(action('stop-container'), { id: 'web' }, caller(key))
    await expect(double.submit(action(name), request, caller(key))).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    })
    expect(double.records()).toHaveLength(1)
  })

  test('does not take the reply from the one who sent it first and still waits', async () => {
    const double = fleetDouble()
    const patient = caller({ ...key, prefer: { waitMs: 60_000, applied: '' } })
    const first = double.submit(action('stop-container'), { id: 'web' }, patient)
    await eventually(() => double.records().length === 1)
    const [record] = double.records()
    await double.submit(action('stop-container'), { id: 'web' }, caller(key))
    double.waiter.onReply({ jobId: record?.id ?? '', action: 'stop-container', acceptedAt: 0, outcome })
    await expect(first).resolves.toMatchObject({ slots: [{ state: 'completed' }] })
  })
})

test('nothing is waited for any more when a job could not be accepted', async () => {
  const double = fleetDouble()
  const jobs = { accept: () => Promise.reject(new DebloxError('redis_unavailable', 'away')) }
  const submit = submitTo({ ...double.desk, fleet: { ...double.desk.fleet, jobs } as unknown as Fleet })
  await expect(submit(action('create-container'), { image: 'busybox' }, caller())).rejects.toMatchObject({
    code: 'redis_unavailable',
  })
  expect((double.waiter as unknown as { waiting: Map<string, unknown> }).waiting.size).toBe(0)
})

test('a job that still waits for a dock that is not heard of says so', async () => {
  const double = fleetDouble({ state: 'unreachable' })
  const { slots } = await double.submit(action('stop-container'), { id: 'web' }, caller())
  expect(slots).toMatchObject([{ state: 'waiting', error: { code: 'host_unreachable', status: 503 } }])
})

test('there is asked for room before a job is accepted, and not for one that was accepted before', async () => {
  const double = fleetDouble()
  const key = caller({ idempotencyKey: 'once' })
  for (const _ of [1, 2]) await double.submit(action('create-container'), { image: 'busybox', instances: 2 }, key)
  const topics = ['deblox.docker.dock-a', 'deblox.docker.dock-b']
  expect(double.asked).toEqual([{ actor: 'anna', topics, size: JSON.stringify({ image: 'busybox' }).length }])
})

describe('when a job may not be begun any more', () => {
  const expiryOf = async (name: string, request: object) => {
    const double = fleetDouble()
    const before = Date.now()
    await double.submit(action(name), request, caller())
    return (double.records()[0]?.expiresAt ?? 0) - before
  }

  test.each([
    ['list-images', times.deadline.read],
    ['stop-container', times.deadline.change],
  ])('%s: after %d ms unless its caller says less', async (name, ms) => {
    const request = name === 'list-images' ? {} : { id: 'web' }
    const slack = 1_000
    expect(Math.abs((await expiryOf(name, request)) - ms)).toBeLessThan(slack)
    const later = new Date(Date.now() + 2 * ms).toISOString()
    expect(Math.abs((await expiryOf(name, { ...request, expiresAt: later })) - ms)).toBeLessThan(slack)
    const sooner = new Date(Date.now() + 60_000).toISOString()
    expect(Math.abs((await expiryOf(name, { ...request, expiresAt: sooner })) - 60_000)).toBeLessThan(slack)
  })

  test('a time that is over is refused', async () => {
    await expect(expiryOf('stop-container', { id: 'web', expiresAt: '2020-01-01' })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('expiresAt: expected a time that is still to come') as string,
    })
  })
})
