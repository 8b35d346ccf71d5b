import { once } from 'node:events'
import type { Answering } from '@deblox/fleet/calls/call'
import { smallWindowBytes } from '@deblox/fleet/calls/limits'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { Listener } from '../../../../test/support/listener'
import { row, useStreamApi } from '../../../../test/support/stream-api'
import { time } from '../../../../test/support/streamed'

const api = useStreamApi({ most: 4 })

const containers = (count: number, app: string) =>
  Array.from({ length: count }, (_, n) => {
    const id = `${app.charCodeAt(0)}${n}`.padStart(64, '0')
    return row(`${app}-${n}`, { id, labels: { app } })
  })

const url = (app: string, more = '') => `${api.url()}/v1/logs?label=app=${app}${more}`

beforeEach(() => {
  api.calls.answer = async (call: Answering) => {
    await call.begin()
    await call.send(1, Buffer.from(`${time(1)} here\n`))
    await once(call.signal, 'abort')
    return {}
  }
})

test('a list takes a place for every ten containers, and small windows', async () => {
  api.state.rows = [...containers(31, 'a'), ...containers(1, 'b'), ...containers(41, 'c')]
  expect(await send(url('c'), 'GET')).toMatchObject({ status: 429, body: { code: 'too_many_streams' } })
  await eventually(() => api.places.open === 0)
  const most = await Listener.open(url('a', '&follow=true'))
  await eventually(() => most.lines.length === 31)
  expect(api.places.open).toBe(4)
  expect(api.calls.carried.map(({ asked }) => asked.window)).toEqual(Array(31).fill(smallWindowBytes))
  expect(await send(url('b'), 'GET')).toMatchObject({ status: 429, body: { code: 'too_many_streams' } })
  most.leave()
  await eventually(() => api.places.open === 0)
})

test('those that come and have no place are left out, and it is told how many', async () => {
  api.state.rows = containers(10, 'a')
  const log = await Listener.open(url('a', '&follow=true'))
  await eventually(() => log.lines.length === 10)
  expect(api.places.open).toBe(1)
  api.state.rows = containers(42, 'a')
  await log.sees('[Deblox: 2 more containers match, and are left out]')
  await eventually(() => log.lines.filter((line) => line.endsWith('here')).length === 40)
  expect(api.places.open).toBe(4)
  log.leave()
})
