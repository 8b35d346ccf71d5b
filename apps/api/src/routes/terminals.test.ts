import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import type { Answering } from '@deblox/fleet/calls/call'
import { WebSocket } from 'ws'
import { deferred } from '../../../../test/support/deferred'
import { eventually } from '../../../../test/support/eventually'
import { id, row, useStreamApi } from '../../../../test/support/stream-api'
import { steady } from '../../../../test/support/streamed'

const api = useStreamApi()
const path = '/v1/containers/web/exec?cmd=sh'

const asked = () => api.calls.carried.at(-1)?.asked

/** What comes in goes out, until the input ends. */
async function echo(call: Answering) {
  await call.begin({ tty: true })
  for await (const bytes of call.input) await call.send(0, bytes)
  return { exitCode: 7 }
}

/** Says what it is told until the caller leaves. */
async function listens(call: Answering) {
  call.onTold((message) => void call.send(1, Buffer.from(JSON.stringify(message))))
  await call.begin()
  await once(call.signal, 'abort')
}

beforeEach(() => {
  api.calls.answer = echo
})

test('what is typed reaches the process byte for byte, and so does what it writes', async () => {
  const terminal = await api.connect(`${path}&stdin=true&tty=true&cols=80&rows=24`)
  expect(terminal.socket.protocol).toBe('deblox.terminal.v1')
  const bytes = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, n) => n)), randomBytes(300_000)])
  terminal.send(0, bytes)
  terminal.send(0)
  terminal.send(0, 'more')
  terminal.send(255, Buffer.of(0))
  expect(await terminal.closed).toEqual({ code: 1000, reason: '' })
  expect(terminal.on(1).equals(Buffer.concat([bytes, Buffer.from('more')]))).toBe(true)
  expect(terminal.status()).toEqual({ exitCode: 7 })
  expect(asked()).toMatchObject({
    kind: 'exec-container',
    dock: 'dock-a',
    params: { id, cmd: ['sh'], tty: true, stdin: true, size: { cols: 80, rows: 24 } },
  })
  expect(api.decided).toMatchObject([{ permission: 'exec-container', object: id, dock: 'dock-a', status: 101 }])
})

test('what is asked for is what the dock is asked', async () => {
  const terminal = await api.connect(
    '/v1/containers/web/exec?cmd=echo&cmd=&cmd=a%20b&env=A=1&env=B=&user=root&workdir=/tmp',
  )
  expect(asked()?.params).toEqual({
    id,
    cmd: ['echo', '', 'a b'],
    env: ['A=1', 'B='],
    user: 'root',
    workdir: '/tmp',
    tty: false,
    stdin: false,
  })
  terminal.socket.terminate()
  const attached = await api.connect('/v1/containers/web/attach?stdin=1&logs=1')
  expect(asked()).toMatchObject({ kind: 'attach-container', params: { id, stdin: true, logs: true } })
  attached.socket.terminate()
})

test('the size of a terminal is passed on, and both outputs have their own channel', async () => {
  api.calls.answer = async (call) => {
    const told = deferred<unknown>()
    call.onTold(told.resolve)
    await call.begin()
    await call.send(2, Buffer.from(JSON.stringify(await told.promise)))
    return { exitCode: 0 }
  }
  const terminal = await api.connect(path)
  terminal.send(4, '{"cols":100,"rows":30}')
  await terminal.closed
  expect(JSON.parse(terminal.on(2).toString())).toEqual({ resize: { cols: 100, rows: 30 } })
  expect(terminal.came[1]).toBeUndefined()
})

test('what the dock tells of itself is a status, and the output of a terminal is output', async () => {
  const dropped = '{"dropped":{"bytes":9}}\n'
  for (const tty of [true, false]) {
    api.calls.answer = async (call) => {
      await call.begin({ tty })
      await call.send(0, Buffer.from(dropped))
      return { exitCode: null }
    }
    const terminal = await api.connect('/v1/containers/web/attach')
    await terminal.closed
    const statuses = (terminal.came[3] ?? []).map((bytes) => JSON.parse(bytes.toString()) as unknown)
    expect(statuses).toEqual([...(tty ? [] : [JSON.parse(dropped)]), { exitCode: null }])
    expect(terminal.on(1).toString()).toBe(tty ? dropped : '')
  }
})

describe('a message that is none of the sub-protocol closes it with words', () => {
  const cases: [string, Buffer | string][] = [
    ['text', '\x04{"cols":80,"rows":24}'],
    ['an empty one', Buffer.alloc(0)],
    ['an unknown channel', Buffer.of(9, 1)],
    ['output', Buffer.of(1, 1)],
    ['the end of another channel', Buffer.of(255, 1)],
    ['a size that is no JSON', Buffer.from('\x04{')],
    ['a size without rows', Buffer.from('\x04{"cols":3}')],
    ['a size of nothing', Buffer.from('\x04{"cols":0,"rows":-1}')],
    ['input that was not asked for', Buffer.from('\x00ls\n')],
  ]
  test.each(cases)('%s', async (_, message) => {
    api.calls.answer = listens
    const terminal = await api.connect(path)
    terminal.socket.send(message)
    expect(await terminal.closed).toEqual({ code: 4400, reason: 'invalid_request' })
    expect(terminal.status()).toMatchObject({ error: { code: 'invalid_request', status: 400 } })
    await eventually(() => api.calls.carried[0]?.signal.aborted)
    expect(api.logged).toEqual([])
  })

  test('and ends the call at once, also where the caller does not close', async () => {
    api.calls.answer = listens
    const terminal = await api.connect(path)
    terminal.socket.send('text')
    terminal.socket.pause()
    await eventually(() => api.calls.carried[0]?.signal.aborted)
    expect(terminal.socket.readyState).toBe(WebSocket.OPEN)
    terminal.socket.terminate()
  })

  test('one that is too large', async () => {
    const terminal = await api.connect(`${path}&stdin=true`)
    terminal.send(0, Buffer.alloc(2 ** 20 + 1))
    expect((await terminal.closed).code).toBe(1009)
    await eventually(() => api.calls.carried[0]?.signal.aborted)
  })
})

describe('its end is told', () => {
  test('where the call fails', async () => {
    api.calls.answer = async (call) => {
      await call.send(1, Buffer.from('partly'))
      throw new DebloxError('stream_broken', 'the worker died')
    }
    const terminal = await api.connect(path)
    expect(await terminal.closed).toEqual({ code: 4502, reason: 'stream_broken' })
    expect(terminal.on(1).toString()).toBe('partly')
    expect(terminal.status()).toEqual({ error: { code: 'stream_broken', status: 502, message: 'the worker died' } })
  })

  test('where the right is lost', async () => {
    const terminal = await api.connect(`${path}&stdin=true`)
    api.state.rows = [row('web', { owner: 'ben' })]
    expect(await terminal.closed).toEqual({ code: 4404, reason: 'container_not_found' })
    await eventually(() => api.calls.carried[0]?.signal.aborted)
  })

  test('where the token is revoked', async () => {
    const terminal = await api.connect(`${path}&stdin=true`)
    api.state.identity = undefined
    expect(await terminal.closed).toEqual({ code: 4401, reason: 'unauthenticated' })
    expect(terminal.status()).toMatchObject({ error: { code: 'unauthenticated', status: 401 } })
  })

  test('where this replica stops', async () => {
    const terminal = await api.connect(`${path}&stdin=true`)
    api.stop(new DebloxError('stream_broken', 'the API replica stops'))
    expect(await terminal.closed).toEqual({ code: 4502, reason: 'stream_broken' })
  })
})

test('the call ends when the caller leaves, in whichever way', async () => {
  api.calls.answer = listens
  for (const leave of [(socket: WebSocket) => socket.close(), (socket: WebSocket) => socket.terminate()]) {
    const terminal = await api.connect(path)
    leave(terminal.socket)
    await terminal.closed
    await eventually(() => api.calls.carried.at(-1)?.signal.aborted)
    await eventually(() => api.places.open === 0)
  }
  expect(api.calls.carried).toHaveLength(2)
})

describe('nobody has to keep what the other one does not take', () => {
  test('a caller who does not read holds up the process', async () => {
    let sent = 0
    const piece = Buffer.alloc(50_000, 'x')
    api.calls.answer = async (call) => {
      for (; sent < 400; sent++) await call.send(1, piece)
      return { exitCode: 0 }
    }
    const terminal = await api.connect(path)
    terminal.socket.pause()
    await steady(() => sent)
    expect(sent).toBeLessThan(300)
    terminal.socket.resume()
    await terminal.closed
    expect(terminal.on(1).length).toBe(20_000_000)
    expect(api.calls.carried[0]?.most().output).toBeLessThan(350_000)
  }, 20_000)

  test('a process that does not read holds up the caller, who can be silent for long', async () => {
    const go = deferred()
    let read = 0
    api.calls.answer = async (call) => {
      await call.begin()
      await go.promise
      for await (const bytes of call.input) read += bytes.length
      return { exitCode: 0 }
    }
    const terminal = await api.connect(`${path}&stdin=true`)
    let pings = 0
    terminal.socket.on('ping', () => pings++)
    for (let n = 0; n < 400; n++) terminal.send(0, Buffer.alloc(50_000, n))
    terminal.send(255, Buffer.of(0))
    // Beside what waits there are the answers to pings.
    await steady(() => Math.round(terminal.socket.bufferedAmount / 10_000))
    const before = pings
    await eventually(() => pings > before + 3)
    // Most of it is still at the caller's.
    expect(terminal.socket.bufferedAmount).toBeGreaterThan(10_000_000)
    expect(api.calls.carried[0]?.most().input).toBeLessThan(350_000)
    go.resolve()
    expect((await terminal.closed).code).toBe(1000)
    expect(read).toBe(20_000_000)
  }, 20_000)
})

test('a caller who answers no ping is left, one who does is not', async () => {
  api.calls.answer = listens
  const silent = await api.connect(path, { autoPong: false })
  const there = await api.connect(path)
  expect((await silent.closed).code).toBe(1006)
  await eventually(() => api.places.open === 1)
  expect(there.socket.readyState).toBe(WebSocket.OPEN)
  there.socket.terminate()
})
