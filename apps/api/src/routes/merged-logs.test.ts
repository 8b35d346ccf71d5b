import { once } from 'node:events'
import { DebloxError } from '@deblox/actions/errors'
import type { Answering } from '@deblox/fleet/calls/call'
import { deferred } from '../../../../test/support/deferred'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { Events } from '../../../../test/support/sse'
import { anna, row, useStreamApi } from '../../../../test/support/stream-api'
import { documents as documentsOf, steady, time } from '../../../../test/support/streamed'

const api = useStreamApi({ most: 10 })
const ndjson = { accept: 'application/x-ndjson' }

const idOf = (n: number) => n.toString(16).padStart(64, '0')

const container = (n: number, more: Parameters<typeof row>[1] = {}) =>
  row(`web-${n}`, { id: idOf(n), labels: { app: 'shop', tier: `t${n}` }, ...more })

const logs = async (query: string, headers: Record<string, string> = {}) =>
  send(`${api.url()}/v1/logs${query}`, 'GET', undefined, headers)

const documents = (body: string) => documentsOf<{ line?: string; time?: string }>(body)

/** Each container sends what is said here of it, as lines of such a time. */
const says =
  (lines: Record<string, [number, string][]>, follow = false) =>
  async (call: Answering) => {
    const { id } = call.params as { id: string }
    await call.begin()
    const own = lines[parseInt(id, 16)] ?? []
    for (const [at, text] of own) await call.send(1, Buffer.from(`${time(at)} ${text}\n`))
    if (follow) await once(call.signal, 'abort')
    return {}
  }

beforeEach(() => {
  api.state.rows = [container(1), container(2, { dock: 'dock-b' })]
})

test('lines of several containers are put together by their times, each with its name', async () => {
  api.calls.answer = says({
    1: [
      [1, 'a'],
      [4, 'd'],
      [5, 'e'],
    ],
    2: [
      [2, 'b'],
      [3, 'c'],
      [6, 'f'],
    ],
  })
  const { status, body } = await logs('?label=app=shop')
  expect({ status, body }).toEqual({
    status: 200,
    body: 'web-1 | a\nweb-2 | b\nweb-2 | c\nweb-1 | d\nweb-1 | e\nweb-2 | f\n',
  })
  const told = documents((await logs('?label=app=shop&tail=3', ndjson)).body)
  expect(told[1]).toEqual({
    container: { id: idOf(2), name: 'web-2', dock: 'dock-b' },
    time: time(2),
    stream: 'stdout',
    line: 'b',
  })
  expect(api.calls.carried.at(-1)?.asked).toMatchObject({ kind: 'read-logs', params: { tail: 3, follow: false } })
  expect(api.decided.at(-1)).toMatchObject({ permission: 'GET /v1/logs', object: 'label:app=shop', status: 200 })
})

test('very much of many containers is put together by its times, and nothing of it kept', async () => {
  api.state.rows = Array.from({ length: 20 }, (_, n) => container(n))
  const lines = Array.from({ length: 20 }, (_, n) =>
    Array.from({ length: 300 }, (_unused, m): [number, string] => [20 * m + n, 'x'.repeat(2_000)]),
  )
  api.calls.answer = says(Object.fromEntries(lines.entries()))
  const told = documents((await logs('?label=app', ndjson)).body)
  expect(told).toHaveLength(6_000)
  expect(told.map((one) => one.time)).toEqual(Array.from({ length: 6_000 }, (_, n) => time(n)))
  for (const { most } of api.calls.carried) expect(most().output).toBeLessThan(280_000)
}, 20_000)

test.each([
  ['?label=app', [1, 2, 3]],
  ['?label=app=shop&label=tier=t2', [2]],
  ['?label=app=', []],
  ['?label=toString', []],
  ['?template=nginx', [3]],
  ['?dock=dock-a', [1, 3]],
  ['?dock=dock-a&dock=dock-b&label=tier=t2', [2]],
])('%s means these', async (query, meant) => {
  api.state.rows.push(container(3, { labels: { app: 'shop', 'deblox.template': 'nginx' } }))
  api.calls.answer = says({ 1: [[1, '1']], 2: [[2, '2']], 3: [[3, '3']] })
  const told = documents((await logs(query, ndjson)).body)
  expect(told.map(({ line }) => Number(line))).toEqual(meant)
})

test.each(['', '?follow=true', '?label==x', '?label=app&since=odd', '?label=app&stdout=0&stderr=0'])(
  '%s is refused',
  async (query) => {
    expect(await logs(query)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(api.calls.carried).toEqual([])
  },
)

test('more than a hundred are refused, and a hundred are not', async () => {
  api.calls.answer = says({})
  api.state.rows = Array.from({ length: 101 }, (_, n) => container(n))
  expect(await logs('?label=app')).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  api.state.rows.pop()
  expect((await logs('?label=app')).status).toBe(200)
  expect(api.calls.carried).toHaveLength(100)
})

test('what is somebody else’s is not in it, and what was granted is', async () => {
  api.state.rows = [
    container(1),
    container(2, { owner: 'ben' }),
    container(3, { owner: 'zoe' }),
    container(4, { owner: null }),
  ]
  api.state.grants = [{ id: 'g', to: 'anna', may: ['read-logs'], on: { owner: 'zoe' }, by: 'zoe', at: '' }]
  api.calls.answer = says({ 1: [[1, '1']], 2: [[2, '2']], 3: [[3, '3']], 4: [[4, '4']] })
  expect((await logs('?label=app')).body).toBe('web-1 | 1\nweb-3 | 3\n')
  expect(api.calls.carried.map(({ asked }) => asked.given)).toEqual([{ owner: 'anna' }, { owner: 'zoe' }])
  api.state.identity = { ...anna, scopes: ['GET /v1/logs'] }
  expect(await logs('?label=app')).toMatchObject({ status: 403, body: { code: 'forbidden' } })
})

test('a dock that is away is told, and one that says nothing holds up nobody', async () => {
  api.state.rows.push(container(3, { dock: 'dock-c' }))
  const silent = deferred()
  api.calls.answer = async (call) => {
    const { id } = call.params as { id: string }
    if (id === idOf(2)) throw new DebloxError('dock_unreachable', 'no lease')
    if (id === idOf(3)) await silent.promise
    return says({ 1: [[1, 'one']] })(call)
  }
  const events = await Events.open(`${api.url()}/v1/logs?label=app&follow=true`)
  await events.next(({ data }) => (data as { line?: string }).line === 'one')
  const away = await events.next(({ event }) => event === 'away')
  expect(away.data).toMatchObject({ container: { name: 'web-2', dock: 'dock-b' }, code: 'dock_unreachable' })
  silent.resolve()
  events.leave()
  const body = await logs('?label=tier=t2')
  expect(body).toMatchObject({ status: 200, body: 'web-2 | [Deblox: dock_unreachable: no lease]\n' })
})

describe('while it is followed', () => {
  const opened = (n: number) => api.calls.carried.filter(({ asked }) => (asked.params as { id: string }).id === idOf(n))

  test('containers that come are followed, too, and those that are somebody else’s now are not', async () => {
    api.state.rows = [container(1)]
    api.calls.answer = says({ 1: [[1, '1']], 2: [[2, '2']] }, true)
    const events = await Events.open(`${api.url()}/v1/logs?label=app&follow=true`)
    await events.next(({ data }) => (data as { line?: string }).line === '1')
    api.state.rows = [container(1), container(2)]
    await events.next(({ data }) => (data as { line?: string }).line === '2')
    api.state.rows = [container(1), container(2, { owner: 'ben' })]
    await eventually(() => opened(2)[0]?.signal.aborted)
    expect(opened(1)[0]?.signal.aborted).toBe(false)
    events.leave()
    await eventually(() => opened(1)[0]?.signal.aborted)
    await eventually(() => api.places.open === 0)
  })

  test('a dock that comes back goes on where it was, without a line twice or one too few', async () => {
    api.state.rows = [container(1)]
    let tries = 0
    api.calls.answer = async (call) => {
      tries++
      if (tries === 1) {
        await says({
          1: [
            [1, 'one'],
            [2, 'two'],
          ],
        })(call)
        throw new DebloxError('stream_broken', 'the worker died')
      }
      if (tries < 4) throw new DebloxError('dock_unreachable', 'no lease')
      return says(
        {
          1: [
            [2, 'two'],
            [2, 'three'],
            [3, 'four'],
          ],
        },
        true,
      )(call)
    }
    const events = await Events.open(`${api.url()}/v1/logs?label=app&follow=true&tail=5`)
    await events.next(({ data }) => (data as { line?: string }).line === 'four')
    const heard = events.heard.map(({ event, data }) => (event === 'message' ? (data as { line: string }).line : event))
    expect(heard).toEqual(['one', 'two', 'away', 'three', 'four'])
    expect(api.calls.carried.map(({ asked }) => asked.params)).toMatchObject([
      { tail: 5 },
      { since: expect.stringMatching(/\.000000002$/) },
      {},
      { since: expect.stringMatching(/\.000000002$/) },
    ])
    events.leave()
  })

  test('beyond a hundred it is told how many are left out', async () => {
    api.state.rows = Array.from({ length: 100 }, (_, n) => container(n))
    api.calls.answer = says({}, true)
    const events = await Events.open(`${api.url()}/v1/logs?label=app&follow=true`)
    await eventually(() => api.calls.carried.length === 100)
    api.state.rows = Array.from({ length: 103 }, (_, n) => container(n))
    expect((await events.next(({ event }) => event === 'leftOut')).data).toEqual({ containers: 3 })
    expect(api.calls.carried).toHaveLength(100)
    events.leave()
  })

  test('all ends when the token is revoked', async () => {
    api.calls.answer = says({}, true)
    const events = await Events.open(`${api.url()}/v1/logs?label=app&follow=true`)
    await eventually(() => api.calls.carried.length === 2)
    api.state.identity = undefined
    await events.over
    expect(events.heard.at(-1)).toMatchObject({ event: 'error', data: { code: 'unauthenticated' } })
    await eventually(() => api.calls.carried.every(({ signal }) => signal.aborted))
  })

  test('whoever takes nothing holds up the docks, and nothing is kept for him', async () => {
    let sent = 0
    const line = Buffer.from(`${time(1)} ${'x'.repeat(10_000)}\n`)
    api.calls.answer = async (call) => {
      for (; sent < 20_000; sent++) await call.send(1, line)
      return {}
    }
    const response = await fetch(`${api.url()}/v1/logs?label=app&follow=true`, { headers: ndjson })
    await steady(() => sent)
    expect(sent).toBeLessThan(3_000)
    await response.body?.cancel()
    await eventually(() => api.calls.carried.every(({ signal }) => signal.aborted))
  }, 20_000)
})
