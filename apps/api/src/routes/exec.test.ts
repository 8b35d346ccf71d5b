import { once } from 'node:events'
import { DebloxError } from '@deblox/actions/errors'
import type { Answering } from '@deblox/fleet/calls/call'
import { deferred } from '../../../../test/support/deferred'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { id, row, useStreamApi } from '../../../../test/support/stream-api'

const api = useStreamApi()
const exec = (body: object) => send(`${api.url()}/v1/containers/web/exec`, 'POST', body)
const asked = () => api.calls.carried.at(-1)?.asked

test('what a command wrote and how it ended is answered', async () => {
  api.calls.answer = async (call) => {
    await call.begin({ tty: false })
    await call.send(1, Buffer.from('out €'.slice(0, 4)))
    await call.send(2, Buffer.from('err'))
    await call.send(1, Buffer.from('€\n'))
    return { exitCode: 3 }
  }
  const { status, body } = await exec({ cmd: ['sh', '-c', 'x'], env: { A: '1', B: '' }, user: 'root', workdir: '/tmp' })
  expect({ status, body }).toEqual({
    status: 200,
    body: { exitCode: 3, stdout: 'out €\n', stderr: 'err', truncated: false },
  })
  expect(asked()).toMatchObject({ kind: 'exec-container', dock: 'dock-a', identity: { subject: 'anna' } })
  expect(asked()?.params).toEqual({
    id,
    cmd: ['sh', '-c', 'x'],
    env: ['A=1', 'B='],
    user: 'root',
    workdir: '/tmp',
    tty: false,
    stdin: false,
  })
})

test('what it reads is sent, and then its input ends', async () => {
  api.calls.answer = async (call) => {
    await call.begin()
    for await (const bytes of call.input) await call.send(1, bytes)
    return { exitCode: 0 }
  }
  for (const stdin of ['', 'x'.repeat(700_000)]) {
    const { body } = await exec({ cmd: ['cat'], stdin, env: ['A=1'] })
    expect((body as { stdout: string }).stdout === stdin).toBe(true)
    expect(asked()?.params).toMatchObject({ stdin: true })
  }
})

test('a command that does not read all of its input ends all the same', async () => {
  api.calls.answer = async (call) => {
    await call.begin()
    return { exitCode: 0 }
  }
  expect(await exec({ cmd: ['true'], stdin: 'x'.repeat(900_000) })).toMatchObject({
    status: 200,
    body: { exitCode: 0 },
  })
})

test('of much output the first MiB is kept, and the command is not held up', async () => {
  api.calls.answer = async (call) => {
    for (let n = 0; n < 100; n++) await call.send(1, Buffer.alloc(50_000, 'x'))
    await call.send(2, Buffer.from('all'))
    return { exitCode: 0 }
  }
  const { body } = await exec({ cmd: ['yes'] })
  const { stdout, stderr, truncated } = body as { stdout: string; stderr: string; truncated: boolean }
  expect({ length: stdout.length, stderr, truncated }).toEqual({ length: 2 ** 20, stderr: 'all', truncated: true })
})

test('one that does not end in time may still be running, and that is said', async () => {
  api.calls.answer = async (call) => {
    await call.begin()
    await once(call.signal, 'abort')
  }
  const { status, body } = await exec({ cmd: ['sleep', '99'], timeout: 1 })
  expect({ status, body }).toMatchObject({
    status: 504,
    body: { code: 'call_timeout', detail: expect.stringContaining('may still be running') },
  })
  await eventually(() => api.calls.carried[0]?.signal.aborted)
  expect(api.decided).toMatchObject([{ permission: 'exec-container', object: id, dock: 'dock-a', status: 504 }])
})

test.each([
  {},
  { cmd: [] },
  { cmd: 'ls' },
  { cmd: ['a\0b'] },
  { cmd: ['ls'], env: ['x'] },
  { cmd: ['ls'], env: { 'A=B': '' } },
  { cmd: ['ls'], timeout: 0 },
  { cmd: ['ls'], timeout: '5' },
  { cmd: ['ls'], tty: true },
  { cmd: ['ls'], hostname: 'NO' },
])('%j is refused', async (body) => {
  expect(await exec(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  expect(api.calls.carried).toEqual([])
})

test('failures are problems, and leave no call behind', async () => {
  api.calls.answer = async () => {
    throw new DebloxError('docker_error', 'Container is not running', { status: 409 })
  }
  expect(await exec({ cmd: ['ls'] })).toMatchObject({ status: 409, body: { code: 'docker_error' } })
  api.calls.answer = async (call) => {
    await call.send(1, Buffer.from('half'))
    throw new DebloxError('stream_broken', 'the worker died')
  }
  expect(await exec({ cmd: ['ls'] })).toMatchObject({ status: 502, body: { code: 'stream_broken' } })
  api.state.rows = [row('web', { owner: 'ben' })]
  expect(await exec({ cmd: ['ls'] })).toMatchObject({ status: 404 })
  api.state.identity = { subject: 'ben', teams: [], role: 'operator' }
  expect(await exec({ cmd: ['ls'] })).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  await eventually(() => api.places.open === 0)
})

test('it ends when the caller leaves or may not go on, and the audit is told', async () => {
  const hangs = async (call: Answering) => {
    await call.begin()
    await once(call.signal, 'abort')
  }
  api.calls.answer = hangs
  const leaving = new AbortController()
  const sent = fetch(`${api.url()}/v1/containers/web/exec`, {
    method: 'POST',
    body: '{"cmd":["sleep"]}',
    signal: leaving.signal,
  })
  await eventually(() => api.calls.carried.length === 1)
  leaving.abort()
  await expect(sent).rejects.toThrow('aborted')
  await eventually(() => api.calls.carried[0]?.signal.aborted)
  await eventually(() => api.decided.length === 1)
  expect(api.decided).toMatchObject([{ code: 'stream_broken' }])
  expect(api.logged).toEqual([])

  const refused = exec({ cmd: ['sleep'] })
  await eventually(() => api.calls.carried.length === 2)
  api.state.identity = undefined
  expect(await refused).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
})

test('a stop of the replica ends it with words', async () => {
  const begun = deferred()
  api.calls.answer = async (call) => {
    await call.begin()
    begun.resolve()
    await once(call.signal, 'abort')
  }
  const ended = exec({ cmd: ['sleep'] })
  await begun.promise
  api.stop()
  expect(await ended).toMatchObject({ status: 502, body: { code: 'stream_broken' } })
})
