import { once } from 'node:events'
import { DebloxError } from '@deblox/actions/errors'
import type { Answering } from '@deblox/fleet/calls/call'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { Events } from '../../../../test/support/sse'
import { id, row, useStreamApi } from '../../../../test/support/stream-api'
import { documents, open as openAt, sends, steady, time } from '../../../../test/support/streamed'

const api = useStreamApi()
const path = '/v1/containers/web/logs'
const ndjson = { accept: 'application/x-ndjson' }

const logs = async (query = '', headers: Record<string, string> = {}) =>
  send(`${api.url()}${path}${query}`, 'GET', undefined, headers)

const open = (query = '', headers?: Record<string, string>) => openAt(`${api.url()}${path}${query}`, headers)

describe('who asks', () => {
  test('is told of a container that is not his as of one that is not there, and the audit is told which', async () => {
    api.state.rows = [row('web', { owner: 'ben' })]
    expect(await logs()).toMatchObject({ status: 404, body: { code: 'container_not_found' } })
    expect(api.decided).toMatchObject([{ permission: 'read-logs', object: 'web', status: 404 }])
    expect(api.calls.carried).toEqual([])
  })

  test('is told that a dock cannot be reached as a problem', async () => {
    api.calls.answer = async () => {
      throw new DebloxError('dock_unreachable', 'no lease')
    }
    expect(await logs('', ndjson)).toMatchObject({ status: 503, body: { code: 'dock_unreachable' } })
    expect(api.decided).toMatchObject([{ object: id, dock: 'dock-a', status: 503, code: 'dock_unreachable' }])
  })

  test('has so many streams at a time and no more, whatever becomes of them', async () => {
    api.calls.answer = sends([1, 'x\n'])
    for (let n = 0; n < 20; n++) await logs()
    api.calls.answer = (call) =>
      new Promise((_, reject) => {
        void call.begin()
        call.signal.addEventListener('abort', () => reject(new Error('over')))
      })
    const streams = await Promise.all(Array.from({ length: 8 }, () => open('?follow=true')))
    expect(await logs('?follow=true')).toMatchObject({ status: 429, body: { code: 'too_many_streams' } })
    streams[0]?.destroy()
    await eventually(() => api.places.open === 7)
    streams.push(await open('?follow=true'))
    for (const stream of streams) stream.destroy()
    await eventually(() => api.places.open === 0)
    expect(api.calls.carried.every(({ signal }) => signal.aborted)).toBe(true)
  })

  test('is not sent more than he takes: what waits for him has a bound, and he can go on', async () => {
    const line = Buffer.from(`${time(1)} ${'x'.repeat(10_000)}\n`)
    let sent = 0
    api.calls.answer = async (call) => {
      for (; sent < 2_000; sent++) await call.send(1, line)
    }
    const response = await open()
    await steady(() => sent)
    expect(sent).toBeLessThan(1_500)
    let size = 0
    for await (const chunk of response) size += (chunk as Buffer).length
    expect(size).toBe(2_000 * 10_001)
    expect(api.calls.carried[0]?.most().output).toBeLessThan(300_000)
  }, 20_000)
})

describe('while it is followed', () => {
  const following = async (call: Answering) => {
    await call.send(1, Buffer.from(`${time(1)} one\n`))
    await once(call.signal, 'abort')
  }

  beforeEach(() => {
    api.calls.answer = following
  })

  test('the call ends when the caller leaves', async () => {
    const response = await open('?follow=true')
    await once(response, 'data')
    response.destroy()
    await eventually(() => api.calls.carried[0]?.signal.aborted)
    expect(api.logged).toEqual([])
  })

  test('NDJSON ends with the reason when the right is lost', async () => {
    const asked = logs('?follow=true', ndjson)
    await eventually(() => api.calls.carried.length === 1)
    api.state.rows = [row('web', { owner: 'ben' })]
    expect(documents((await asked).body).at(-1)).toMatchObject({ error: { code: 'container_not_found', status: 404 } })
    await eventually(() => api.calls.carried[0]?.signal.aborted)
  })

  test('server-sent events end with the reason when the token is revoked', async () => {
    const events = await Events.open(`${api.url()}${path}?follow=true`)
    await eventually(() => events.heard.length === 1)
    api.state.identity = undefined
    await events.over
    expect(events.heard.at(-1)).toMatchObject({ event: 'error', data: { code: 'unauthenticated', status: 401 } })
  })

  test('text is cut when the right is lost', async () => {
    const asked = logs('?follow=true')
    await eventually(() => api.calls.carried.length === 1)
    api.state.identity = undefined
    await expect(asked).rejects.toThrow('terminated')
  })

  test.each([{}, ndjson])(
    'whoever takes nothing when the right is lost is left: %j',
    async (headers) => {
      const line = Buffer.from(`${time(1)} ${'x'.repeat(100_000)}\n`)
      let sent = 0
      api.calls.answer = async (call) => {
        for (; !call.signal.aborted; sent++) await call.send(1, line)
      }
      const response = await open('?follow=true', headers)
      await steady(() => sent)
      api.state.identity = undefined
      await eventually(() => api.places.open === 0)
      response.destroy()
      expect(api.logged).toEqual([])
    },
    15_000,
  )

  test('it goes on when the container is gone, until its dock says so', async () => {
    const response = await open('?follow=true', ndjson)
    api.state.rows = []
    const { looks } = api.state
    await eventually(() => api.state.looks > looks + 3)
    expect(api.calls.carried[0]?.signal.aborted).toBe(false)
    response.destroy()
  })

  test('it is told that this replica stops', async () => {
    const asked = logs('?follow=true', ndjson)
    await eventually(() => api.calls.carried.length === 1)
    api.stop()
    expect(documents((await asked).body).at(-1)).toMatchObject({ error: { code: 'stream_broken' } })
  })
})
