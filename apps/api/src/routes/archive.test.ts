import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { DebloxError } from '@deblox/actions/errors'
import type { Answering } from '@deblox/fleet/calls/call'
import { deferred } from '../../../../test/support/deferred'
import { eventually } from '../../../../test/support/eventually'
import { send } from '../../../../test/support/http'
import { id, row, useStreamApi } from '../../../../test/support/stream-api'

const requestTimeout = 400

const api = useStreamApi({
  patience: {
    headersTimeout: 10_000,
    requestTimeout,
    keepAliveTimeout: 10_000,
    slowReader: 20_000,
    connectionsCheckingInterval: 100,
  },
})
const path = '/v1/containers/web/archive?path=/etc'
const asked = () => api.calls.carried.at(-1)?.asked

describe('what is read', () => {
  test('comes as it is, with what Docker tells of the path', async () => {
    const tar = randomBytes(1_000_000)
    api.calls.answer = async (call) => {
      await call.begin({ stat: { name: 'etc', size: 4096 } })
      for (let n = 0; n < tar.length; n += 60_000) await call.send(0, tar.subarray(n, n + 60_000))
      return {}
    }
    const response = await fetch(`${api.url()}${path}`)
    expect(response.headers.get('content-type')).toBe('application/x-tar')
    const stat = Buffer.from(response.headers.get('x-docker-container-path-stat') ?? '', 'base64').toString()
    expect(JSON.parse(stat)).toEqual({ name: 'etc', size: 4096 })
    expect(Buffer.from(await response.arrayBuffer()).equals(tar)).toBe(true)
    expect(asked()).toMatchObject({ kind: 'read-archive', params: { id, path: '/etc' } })
    const exported = await fetch(`${api.url()}/v1/containers/web/export`)
    expect((await exported.arrayBuffer()).byteLength).toBe(tar.length)
    expect(asked()).toMatchObject({ kind: 'export-container', params: { id } })
  })

  test('is a problem where there is none, and is cut where it fails on its way', async () => {
    api.calls.answer = async () => {
      throw new DebloxError('docker_error', 'no such file', { status: 404 })
    }
    expect(await send(`${api.url()}${path}`, 'GET')).toMatchObject({ status: 404, body: { code: 'docker_error' } })
    api.calls.answer = async (call) => {
      await call.send(0, Buffer.from('half'))
      throw new DebloxError('stream_broken', 'the worker died')
    }
    await expect(send(`${api.url()}${path}`, 'GET')).rejects.toThrow('terminated')
  })

  test('is cut where the right is lost', async () => {
    api.calls.answer = async (call) => {
      await call.send(0, Buffer.from('half'))
      await once(call.signal, 'abort')
    }
    const reading = send(`${api.url()}${path}`, 'GET')
    await eventually(() => api.calls.carried.length === 1)
    api.state.rows = [row('web', { owner: 'ben' })]
    await expect(reading).rejects.toThrow('terminated')
  })
})

describe('what is written', () => {
  let arrived: Buffer[]
  const takes = async (call: Answering) => {
    await call.begin()
    for await (const bytes of call.input) arrived.push(bytes)
    return {}
  }

  beforeEach(() => {
    arrived = []
    api.calls.answer = takes
  })

  const put = (body: Readable | Buffer, more = '') =>
    fetch(`${api.url()}${path}${more}`, { method: 'PUT', body: body as never, duplex: 'half' })

  test('arrives byte for byte, whatever it calls itself', async () => {
    const tar = randomBytes(3_000_000)
    const response = await put(tar, '&noOverwriteDirNonDir=true&copyUidGid=1')
    expect([response.status, await response.text()]).toEqual([204, ''])
    expect(Buffer.concat(arrived).equals(tar)).toBe(true)
    expect(asked()).toMatchObject({
      kind: 'write-archive',
      params: { id, path: '/etc', noOverwriteDirNonDir: true, copyUidGid: true },
    })
    expect(api.calls.carried[0]?.most().input).toBeLessThan(350_000)
    expect(api.decided).toMatchObject([{ permission: 'write-archive', status: 204 }])
  })

  test('may take longer than any request, as long as it goes on', async () => {
    const piece = randomBytes(1_000)
    async function* slowly() {
      for (let n = 0; n < 12; n++) {
        yield piece
        await pause(requestTimeout / 4)
      }
    }
    const began = performance.now()
    expect((await put(Readable.from(slowly()))).status).toBe(204)
    expect(performance.now() - began).toBeGreaterThan(2 * requestTimeout)
    expect(Buffer.concat(arrived)).toHaveLength(12_000)
  })

  test('waits while its dock takes nothing, for longer than any request', async () => {
    const go = deferred()
    api.calls.answer = async (call) => {
      await call.begin()
      await go.promise
      return takes(call)
    }
    const began = performance.now()
    const putting = put(randomBytes(8_000_000))
    await eventually(() => performance.now() - began > 3 * requestTimeout)
    go.resolve()
    expect((await putting).status).toBe(204)
    expect(Buffer.concat(arrived)).toHaveLength(8_000_000)
  })

  test('is left where nothing more comes of it', async () => {
    const sent = httpRequest(`${api.url()}${path}`, { method: 'PUT', headers: { 'content-length': '1000' } })
    sent.on('error', () => undefined)
    sent.write('some')
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(408)
    response.resume()
    await eventually(() => api.calls.carried[0]?.signal.aborted)
  })

  test('of which its dock wants no more is answered at once, also in the middle of it', async () => {
    api.calls.answer = async (call) => {
      await call.begin()
      for await (const bytes of call.input) {
        if (bytes.length > 0) throw new DebloxError('docker_error', 'no such directory', { status: 404 })
      }
    }
    const sent = httpRequest(`${api.url()}${path}`, { method: 'PUT' })
    const errors: unknown[] = []
    sent.on('error', (error) => void errors.push(error))
    sent.end(randomBytes(20_000_000))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    expect([response.statusCode, JSON.parse(Buffer.concat(chunks).toString())]).toMatchObject([
      404,
      { code: 'docker_error' },
    ])
    await eventually(() => sent.writableFinished)
    expect(errors).toEqual([])
  })

  test('that breaks off is not taken for all of it', async () => {
    const sent = httpRequest(`${api.url()}${path}`, { method: 'PUT', headers: { 'content-length': '1000' } })
    sent.on('error', () => undefined)
    sent.write('some')
    await eventually(() => arrived.length === 1)
    sent.destroy()
    await eventually(() => api.calls.carried[0]?.signal.aborted)
    await eventually(() => api.decided.length === 1)
    expect(api.decided).toMatchObject([{ code: 'stream_broken' }])
    expect(api.logged).toEqual([])
  })

  test('ends where the right is lost', async () => {
    const endless = new Readable({ read: () => undefined })
    endless.push('some')
    const putting = put(endless)
    await eventually(() => arrived.length === 1)
    api.state.rows = [row('web', { owner: 'ben' })]
    const response = await putting
    expect(response.status).toBe(404)
    await eventually(() => api.calls.carried[0]?.signal.aborted)
    endless.destroy()
  })
})

test.each(['GET', 'PUT'])('%s without a path is refused', async (method) => {
  expect(await send(`${api.url()}/v1/containers/web/archive`, method)).toMatchObject({ status: 400 })
  expect(api.calls.carried).toEqual([])
})
