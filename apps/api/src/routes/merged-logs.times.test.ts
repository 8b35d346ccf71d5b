import type { Answering } from '@deblox/fleet/calls/call'
import { deferred } from '../../../../test/support/deferred'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { row, useStreamApi } from '../../../../test/support/stream-api'
import { time } from '../../../../test/support/streamed'

const api = useStreamApi()

const idOf = (n: number) => n.toString(16).padStart(64, '0')

const container = (n: number) => row(`web-${n}`, { id: idOf(n), labels: { app: 'shop', tier: `t${n}` } })

const path = '/v1/logs?label=app&follow=true'

/** What the docks were asked with. */
const asked = () => api.calls.carried.map(({ asked: { params } }) => params as { id: string; since?: string })

const says =
  (at: number, line: string, when = Promise.resolve()) =>
  async (call: Answering) => {
    await call.begin()
    await when
    await call.send(1, Buffer.from(`${time(at)} ${line}\n`))
    return {}
  }

beforeEach(() => {
  api.state.rows = [container(1), container(2)]
})

test('it ends when its time is over and all has been told, and nothing is begun then', async () => {
  api.calls.answer = says(1, 'early')
  const following = send(`${api.url()}${path}&until=2026-11-23T12:00:10Z`, 'GET')
  await eventually(() => asked().length >= 4, undefined, { what: 'it is looked for more' })
  const late = deferred()
  api.calls.answer = says(2, 'late', late.promise)
  const before = asked().length
  await eventually(() => asked().length >= before + 2)
  api.state.now += 10_000
  const { looks } = api.state
  await eventually(() => api.state.looks > looks)
  api.state.rows.push(container(3))
  late.resolve()
  expect((await following).body).toContain('web-1 | late\n')
  expect(asked().map(({ id }) => id)).not.toContain(idOf(3))
})

test('how long ago is so of its beginning, however often a dock is asked', async () => {
  api.calls.answer = async (call) => {
    await call.begin()
    return {}
  }
  const leaving = new AbortController()
  const over = fetch(`${api.url()}${path}&since=10m`, { signal: leaving.signal })
  await eventually(() => asked().length >= 2)
  api.state.now += 5_000
  await eventually(() => asked().length >= 6)
  const since = (Date.parse('2026-11-23T11:50:00Z') / 1_000).toFixed(3)
  expect(new Set(asked().map((params) => params.since))).toEqual(new Set([since]))
  leaving.abort()
  await over.catch(() => undefined)
})
