import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { randomBytes } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import type { Answering } from '@deblox/fleet/calls/call'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { refusedWebSocket, useStreamApi } from '../../../../test/support/stream-api'

const api = useStreamApi()
const path = '/v1/containers/web/exec?cmd=sh'

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

describe('it is refused by HTTP, before anything is opened', () => {
  const refused = (of: string, headers?: Record<string, string>) => refusedWebSocket(`${api.url()}${of}`, headers)

  test('to a page of another site that comes with the cookie of a login', async () => {
    const cookie = { cookie: 'deblox_session=x' }
    const origin = { origin: 'https://evil.example' }
    expect(await refused(path, { ...cookie, ...origin })).toMatchObject({ status: 403, body: { code: 'csrf_refused' } })
    expect(await refused(path, { ...cookie, 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 })
    expect(await refused(path, cookie)).toMatchObject({ status: 403 })
    expect(api.calls.carried).toEqual([])
    const own = await api.connect(path, { headers: { ...cookie, origin: api.url() } })
    own.socket.terminate()
  })

  test('where nobody may', async () => {
    api.state.identity = { subject: 'anna', teams: [], role: 'viewer' }
    expect(await refused(path)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    api.state.identity = undefined
    expect(await refused(path)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect(api.decided).toMatchObject([{ status: 403 }, { status: 401 }])
  })

  test.each([
    '/v1/containers/web/exec',
    `${path}&cols=3`,
    `${path}&tty=perhaps`,
    `${path}&env=novalue`,
    `${path}&cmd=%00`,
  ])('where what is asked is wrong: %s', async (of) => {
    expect(await refused(of)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(api.calls.carried).toEqual([])
  })

  test('where the dock cannot be reached, or refuses', async () => {
    api.calls.answer = async () => {
      throw new DebloxError('dock_unreachable', 'no lease')
    }
    expect(await refused(path)).toMatchObject({ status: 503, body: { code: 'dock_unreachable' } })
  })

  test('where it is a plain request', async () => {
    const { status, body, headers } = await send(`${api.url()}${path}`, 'GET')
    expect({ status, code: (body as { code: string }).code }).toEqual({ status: 426, code: 'upgrade_required' })
    expect(headers.get('upgrade')).toBe('websocket')
    expect(api.calls.carried).toEqual([])
  })

  test('where so many are open', async () => {
    api.calls.answer = listens
    const open = await Promise.all(Array.from({ length: 8 }, () => api.connect(path)))
    expect(await refused(path)).toMatchObject({ status: 429, body: { code: 'too_many_streams' } })
    for (const { socket } of open) socket.terminate()
    await eventually(() => api.places.open === 0)
  })
})

test('what follows the handshake at once is taken, or refused, and harms nobody', async () => {
  const { port } = new URL(api.url())
  const handshake = [
    `GET ${path}&stdin=true HTTP/1.1`,
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    '',
    '',
  ].join('\r\n')
  for (const frame of [Buffer.from([0xff, 0xff, 0xff]), maskedFrame(Buffer.from('\x00hello')), Buffer.alloc(0)]) {
    const socket = connect(Number(port), '127.0.0.1')
    const came: Buffer[] = []
    socket.on('data', (bytes: Buffer) => void came.push(bytes)).on('error', () => undefined)
    socket.write(Buffer.concat([Buffer.from(handshake), frame]))
    await eventually(() => Buffer.concat(came).includes('101 Switching'))
    if (frame.length > 3) await eventually(() => Buffer.concat(came).includes('\x01hello'))
    socket.destroy()
    await eventually(() => api.places.open === 0)
  }
  const { status } = await send(`${api.url()}${path}`, 'GET')
  expect(status).toBe(426)
})

test('a request that offers another protocol is answered as any other, with its body', async () => {
  api.calls.answer = async (call) => {
    await call.begin()
    for await (const bytes of call.input) await call.send(1, bytes)
    return { exitCode: 0 }
  }
  const body = JSON.stringify({ cmd: ['cat'], stdin: 'x'.repeat(200_000) })
  const headers = {
    connection: 'Upgrade, HTTP2-Settings',
    upgrade: 'h2c',
    'http2-settings': 'AAMAAABkAAQAoAAAAAIAAAAA',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  }
  const sent = httpRequest(`${api.url()}/v1/containers/web/exec`, { method: 'POST', headers })
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  expect(response.statusCode).toBe(200)
  expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ exitCode: 0, stdout: 'x'.repeat(200_000) })
})

/** A frame as a client sends it: one binary message. */
function maskedFrame(payload: Buffer): Buffer {
  const mask = randomBytes(4)
  const masked = payload.map((byte, n) => byte ^ (mask[n % 4] as number))
  return Buffer.concat([Buffer.from([0x82, 0x80 | payload.length]), mask, masked])
}
