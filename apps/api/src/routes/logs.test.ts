import { once } from 'node:events'
import type { LogsParams } from '@deblox/actions/calls/kinds'
import { DebloxError } from '@deblox/actions/errors'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { Events } from '../../../../test/support/sse'
import { id, useStreamApi } from '../../../../test/support/stream-api'
import { documents, open, sends, time } from '../../../../test/support/streamed'

const api = useStreamApi()
const path = '/v1/containers/web/logs'
const ndjson = { accept: 'application/x-ndjson' }

const params = () => api.calls.carried.at(-1)?.asked.params as LogsParams

const logs = async (query = '', headers: Record<string, string> = {}) =>
  send(`${api.url()}${path}${query}`, 'GET', undefined, headers)

describe('as text', () => {
  test('lines are as they were logged, without their times', async () => {
    api.calls.answer = sends([1, `${time(1)} one\n${time(2)} \n`], [2, `${time(3)} oops\n`], [1, `${time(4)} last`])
    const { status, headers, body } = await logs()
    expect({ status, body }).toEqual({ status: 200, body: 'one\n\noops\nlast' })
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
  })

  test('lines begin with their times where that is asked for', async () => {
    api.calls.answer = sends([1, `${time(1)} one\n${time(2)} two`])
    expect((await logs('?timestamps=true')).body).toBe(`${time(1)} one\n${time(2)} two`)
  })

  test('bytes are passed on as they are, however they are cut', async () => {
    const bytes = Buffer.concat([Buffer.from(`${time(1)} `), Buffer.from([0, 255, 254, 13, 1, 0xc3])])
    const cut = [...bytes].map((byte): [1, Buffer] => [1, Buffer.of(byte)])
    api.calls.answer = sends(...cut, [1, '\n'])
    const response = await fetch(`${api.url()}${path}`)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from([0, 255, 254, 13, 1, 0xc3, 10]))
  })

  test('a line of a megabyte comes whole, and one of several comes whole, too', async () => {
    for (const size of [2 ** 20, 5 * 2 ** 20]) {
      const line = 'x'.repeat(size)
      api.calls.answer = sends([1, `${time(1)} ${line}\n`], [2, `${time(2)} y\n`])
      expect((await logs()).body === `${line}\ny\n`).toBe(true)
    }
  })

  test('it is told what was dropped', async () => {
    api.calls.answer = sends(
      [1, `${time(1)} one\n`],
      [0, '{"dropped":{"lines":3,"bytes":42}}\n'],
      [1, `${time(5)} two\n`],
    )
    const { body } = await logs()
    expect(body).toBe('one\n[Deblox: 3 lines (42 bytes) are left out here, because they were not read in time]\ntwo\n')
  })

  test('a failure in mid-stream cuts the connection', async () => {
    api.calls.answer = async (call) => {
      await call.send(1, Buffer.from(`${time(1)} one\n`))
      throw new DebloxError('stream_broken', 'the worker died')
    }
    await expect(logs()).rejects.toThrow('terminated')
  })
})

describe('as NDJSON', () => {
  test('each line tells its time and its stream', async () => {
    api.calls.answer = sends([1, `${time(1)} one\n`], [2, `${time(2)} oops\r\n${time(3)} \n`], [1, 'odd\n'])
    const { headers, body } = await logs('', ndjson)
    expect(headers.get('content-type')).toBe('application/x-ndjson')
    expect(documents(body)).toEqual([
      { time: time(1), stream: 'stdout', line: 'one' },
      { time: time(2), stream: 'stderr', line: 'oops' },
      { time: time(3), stream: 'stderr', line: '' },
      { time: null, stream: 'stdout', line: 'odd' },
    ])
  })

  test('a character that is cut over pieces is one, on each stream for itself', async () => {
    const [out, err] = [Buffer.from(`${time(1)} a€b\n`), Buffer.from(`${time(2)} 😀\n`)]
    const pieces: [1 | 2, Buffer][] = []
    for (let n = 0; n < Math.max(out.length, err.length); n++) {
      pieces.push([1, out.subarray(n, n + 1)], [2, err.subarray(n, n + 1)])
    }
    api.calls.answer = sends(...pieces)
    expect(documents((await logs('', ndjson)).body)).toEqual(
      expect.arrayContaining([
        { time: time(1), stream: 'stdout', line: 'a€b' },
        { time: time(2), stream: 'stderr', line: '😀' },
      ]),
    )
  })

  test('a line of a megabyte is one document, and a longer one comes in parts that cut no character', async () => {
    const megabyte = 'x'.repeat(2 ** 20)
    const long = '€'.repeat(2 ** 20)
    api.calls.answer = sends([1, `${time(1)} ${megabyte}\n${time(2)} ${long}`])
    const [whole, ...parts] = documents((await logs('', ndjson)).body) as {
      line: string
      partial?: true
      time: string
    }[]
    expect(whole?.line === megabyte && whole.partial === undefined).toBe(true)
    expect(parts.map(({ partial, time: at }) => [partial, at])).toEqual([
      [true, time(2)],
      [true, time(2)],
      [undefined, time(2)],
    ])
    expect(parts.map(({ line }) => line).join('') === long).toBe(true)
  })

  test('it is told what was dropped', async () => {
    api.calls.answer = sends([0, '{"dropped":{"lines":3,"bytes":42}}\n{"later":1}\nodd\n'], [1, `${time(5)} two\n`])
    expect(documents((await logs('', ndjson)).body)).toEqual([
      { dropped: { lines: 3, bytes: 42 } },
      { time: time(5), stream: 'stdout', line: 'two' },
    ])
  })

  test('a failure in mid-stream is the last document', async () => {
    api.calls.answer = async (call) => {
      await call.send(1, Buffer.from(`${time(1)} one\n`))
      throw new DebloxError('stream_broken', 'the worker died')
    }
    expect(documents((await logs('', ndjson)).body).at(-1)).toEqual({
      error: { code: 'stream_broken', status: 502, message: 'the worker died' },
    })
  })

  test('what nobody has foreseen is told without its words, and logged', async () => {
    api.calls.answer = async (call) => {
      await call.send(1, Buffer.from(`${time(1)} one\n`))
      throw new TypeError('of the inside')
    }
    const response = await open(`${api.url()}${path}`, ndjson)
    const [text] = (await once(response.setEncoding('utf8'), 'data')) as [string]
    expect(text).not.toContain('of the inside')
    await eventually(() => api.logged.join().includes('of the inside'))
    await eventually(() => response.destroyed)
  })
})

describe('as server-sent events', () => {
  test('each line is a message with a position, and the end is told', async () => {
    api.calls.answer = sends([1, `${time(1)} one\n${time(1)} two\n`], [0, '{"dropped":{"lines":3,"bytes":42}}\n'])
    const events = await Events.open(`${api.url()}${path}`)
    expect(await events.over).toBe('end')
    expect(events.heard).toEqual([
      { id: `stdout=${time(1)}/1`, event: 'message', data: { time: time(1), stream: 'stdout', line: 'one' } },
      { id: `stdout=${time(1)}/2`, event: 'message', data: { time: time(1), stream: 'stdout', line: 'two' } },
      { event: 'dropped', data: { lines: 3, bytes: 42 } },
      { event: 'end', data: {} },
    ])
  })

  test('whoever comes back gets what he has not read, and only that', async () => {
    api.calls.answer = sends([1, `${time(1)} one\n${time(1)} two\n${time(1)} three\n${time(2)} four\n`])
    const events = await Events.open(`${api.url()}${path}?tail=1`, { 'last-event-id': `stdout=${time(1)}/2` })
    await events.over
    expect(events.heard.map(({ id: at, data }) => [at, (data as { line?: string }).line])).toEqual([
      [`stdout=${time(1)}/3`, 'three'],
      [`stdout=${time(2)}/1`, 'four'],
      [undefined, undefined],
    ])
    expect(params()).toMatchObject({ since: `${Date.parse('2026-11-23T07:30:00Z') / 1000}.000000001` })
    expect(params().tail).toBeUndefined()
  })

  test('a failure in mid-stream is an event', async () => {
    api.calls.answer = async (call) => {
      await call.begin()
      throw new DebloxError('dock_unreachable', 'gone')
    }
    const events = await Events.open(`${api.url()}${path}`)
    await events.over
    expect(events.heard).toEqual([{ event: 'error', data: { code: 'dock_unreachable', status: 503, message: 'gone' } }])
  })
})

describe('what is asked of the dock', () => {
  beforeEach(() => {
    api.calls.answer = sends()
  })

  test.each<[string, Partial<LogsParams>]>([
    ['', { follow: false, stdout: true, stderr: true }],
    ['?follow=1&tail=all', { follow: true }],
    ['?tail=10', { tail: 10 }],
    ['?stdout=true', { stdout: true, stderr: false }],
    ['?stderr=true', { stdout: false, stderr: true }],
    ['?stderr=false', { stdout: true, stderr: false }],
    ['?stdout=false', { stdout: false, stderr: true }],
    ['?since=10m', { since: String(Date.parse('2026-11-23T11:50:00Z') / 1000) + '.000' }],
    ['?since=1d2h', { since: String(Date.parse('2026-11-22T10:00:00Z') / 1000) + '.000' }],
    ['?since=1700000000.5&until=1700000001', { since: '1700000000.5', until: '1700000001' }],
    [
      '?since=2026-11-23T13:30:00.123456789%2B01:00',
      { since: `${Date.parse('2026-11-23T12:30:00Z') / 1000}.123456789` },
    ],
  ])('%s', async (query, expected) => {
    expect((await logs(query)).status).toBe(200)
    expect(params()).toMatchObject({ id, ...expected })
    expect(params().tail).toBe(expected.tail)
  })

  test.each(['?since=yesterday', '?since=2026-13-45T00:00:00Z', '?tail=-1', '?stdout=0&stderr=0', '?nothing=1'])(
    '%s is refused',
    async (query) => {
      expect(await logs(query)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
      expect(api.calls.carried).toEqual([])
    },
  )
})
