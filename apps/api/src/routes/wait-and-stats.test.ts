import { once } from 'node:events'
import { DebloxError } from '@deblox/actions/errors'
import type { Answering } from '@deblox/fleet/calls/call'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { Events } from '../../../../test/support/sse'
import { id, row, useStreamApi } from '../../../../test/support/stream-api'

const api = useStreamApi()
const asked = () => api.calls.carried.at(-1)?.asked
const get = (path: string, headers: Record<string, string> = {}) =>
  send(`${api.url()}${path}`, 'GET', undefined, headers)

const hangs = async (call: Answering) => {
  await call.begin()
  await once(call.signal, 'abort')
}

describe('GET …/wait', () => {
  const wait = (query = '', headers: Record<string, string> = {}) => get(`/v1/containers/web/wait${query}`, headers)

  test('answers the exit code, and what Docker says beside', async () => {
    api.calls.answer = async () => ({ exitCode: 137, error: null })
    expect(await wait()).toMatchObject({ status: 200, body: { exitCode: 137 } })
    expect(asked()).toMatchObject({ kind: 'wait-container', params: { id, condition: 'not-running' } })
    api.calls.answer = async () => ({ exitCode: 0, error: 'odd' })
    expect((await wait('?condition=removed')).body).toEqual({ exitCode: 0, error: 'odd' })
    expect(asked()?.params).toMatchObject({ condition: 'removed' })
  })

  test('answers 202 when the caller does not want to wait any longer', async () => {
    api.calls.answer = hangs
    for (const prefer of ['wait=0', 'wait=1', 'respond-async']) {
      const { status, body, headers } = await wait('', { prefer })
      expect({ status, body }).toEqual({ status: 202, body: { exitCode: null } })
      expect(headers.get('preference-applied')).toBe(prefer)
    }
    await eventually(() => api.calls.carried.every(({ signal }) => signal.aborted))
    await eventually(() => api.places.open === 0)
  })

  test('answers what is wrong also to whoever does not wait', async () => {
    api.state.rows = []
    expect(await wait('', { prefer: 'respond-async' })).toMatchObject({ status: 404 })
    expect(await wait('?condition=never')).toMatchObject({ status: 400 })
    api.state.rows = [row('web')]
    api.calls.answer = async () => {
      throw new DebloxError('dock_unreachable', 'no lease')
    }
    expect(await wait()).toMatchObject({ status: 503, body: { code: 'dock_unreachable' } })
  })

  test('goes on when the container is removed meanwhile, and not when it is somebody else’s', async () => {
    api.calls.answer = hangs
    const first = wait()
    await eventually(() => api.calls.carried.length === 1)
    api.state.rows = []
    const { looks } = api.state
    await eventually(() => api.state.looks > looks + 2)
    api.state.rows = [row('web', { owner: 'ben' })]
    expect(await first).toMatchObject({ status: 404 })
  })
})

describe('GET …/stats', () => {
  const path = '/v1/containers/web/stats'
  const reading = (n: number) => ({ read: `t${n}`, cpu_stats: { cpu_usage: { total_usage: n } } })
  const line = (n: number) => Buffer.from(`${JSON.stringify(reading(n))}\n`)

  const live = async (call: Answering) => {
    const all = Buffer.concat([line(1), line(2), line(3)])
    await call.send(0, all.subarray(0, 70))
    await call.send(0, all.subarray(70))
    return {}
  }

  test('once is one document', async () => {
    api.calls.answer = async (call) => {
      await call.send(0, line(1).subarray(0, 9))
      await call.send(0, line(1).subarray(9))
    }
    expect(await get(path)).toMatchObject({ status: 200, body: reading(1) })
    expect(asked()).toMatchObject({ kind: 'watch-stats', params: { id, live: false } })
    api.calls.answer = async (call) => call.send(0, Buffer.from('odd'))
    expect(await get(path)).toMatchObject({ status: 500, body: { code: 'docker_error' } })
  })

  test('live is NDJSON, or events', async () => {
    api.calls.answer = live
    const { headers, body } = await get(`${path}?live=true`)
    expect(headers.get('content-type')).toBe('application/x-ndjson')
    expect(body).toBe(Buffer.concat([line(1), line(2), line(3)]).toString())
    const events = await Events.open(`${api.url()}${path}?live=1`)
    await events.over
    expect(events.heard).toEqual([
      ...[1, 2, 3].map((n) => ({ event: 'message', data: reading(n) })),
      { event: 'end', data: {} },
    ])
  })

  test('a failure in mid-stream is told in either form', async () => {
    api.calls.answer = async (call) => {
      await call.send(0, line(1))
      throw new DebloxError('stream_broken', 'the worker died')
    }
    const { body } = await get(`${path}?live=true`)
    expect((body as string).split('\n')[1]).toBe(
      '{"error":{"code":"stream_broken","status":502,"message":"the worker died"}}',
    )
    const events = await Events.open(`${api.url()}${path}?live=true`)
    await events.over
    expect(events.heard.at(-1)).toMatchObject({ event: 'error', data: { code: 'stream_broken' } })
  })

  test('it ends when the right is lost', async () => {
    api.calls.answer = async (call) => {
      await call.send(0, line(1))
      await once(call.signal, 'abort')
    }
    const events = await Events.open(`${api.url()}${path}?live=true`)
    await eventually(() => events.heard.length === 1)
    api.state.rows = [row('web', { owner: 'ben' })]
    await events.over
    expect(events.heard.at(-1)).toMatchObject({ event: 'error', data: { code: 'container_not_found' } })
    await eventually(() => api.calls.carried[0]?.signal.aborted)
  })
})

test.each([
  ['text/event-stream', 'text/event-stream'],
  ['text/event-stream;q=0.5, application/x-ndjson', 'application/x-ndjson'],
  ['application/x-ndjson;q=0, text/event-stream;q=0.1', 'text/event-stream'],
  ['text/*', 'text/plain'],
  ['text/*;q=0.1, application/*', 'application/x-ndjson'],
  ['*/*', 'text/plain'],
  ['image/png', 'text/plain'],
  ['APPLICATION/X-NDJSON ; q=1', 'application/x-ndjson'],
])('of logs, whoever takes %s is sent %s', async (accept, type) => {
  api.calls.answer = async () => ({})
  const { headers } = await get('/v1/containers/web/logs', { accept })
  expect(headers.get('content-type')?.split(';')[0]).toBe(type)
})
