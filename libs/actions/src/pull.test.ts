import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import type { ActionContext } from './define-action'
import { pullAndWait } from './pull'
import { contextFor } from './testing/context'
import { useDockerDouble } from './testing/docker-double'

const double = useDockerDouble()
const route = 'POST /images/create'
const pull = (signal = new AbortController().signal) => pullAndWait('ubuntu', contextFor(double.docker, { signal }))
const line = (progress: object) => `${JSON.stringify(progress)}\r\n`

afterEach(() => jest.restoreAllMocks())

test('ends when Docker’s progress has ended without an error', async () => {
  double.answer(route, (response) => {
    response.write(line({ status: 'Pulling fs layer', id: 'a1' }))
    response.end(line({ status: 'Status: Downloaded newer image' }))
  })
  await expect(pull()).resolves.toBeUndefined()
  expect(double.asked).toMatchObject([{ what: route, query: { fromImage: 'ubuntu:latest' } }])
})

test('says how far each layer is, and nothing of what is no layer', async () => {
  const said = [
    { status: 'Pulling from library/ubuntu', id: 'latest' },
    { status: 'Pulling fs layer', progressDetail: {}, id: '0123456789ab' },
    { status: 'Downloading', progressDetail: { current: 5, total: 10 }, progress: '[=> ]', id: '0123456789ab' },
    { status: 'x'.repeat(100), progressDetail: { current: 'five' }, id: 'ba9876543210' },
    { status: 7, id: 'ba9876543210' },
    { status: 'Digest: sha256:1' },
  ]
  double.answer(route, (response) => response.end(said.map(line).join('')))
  const heard: unknown[] = []
  const pullOnce: ActionContext['pullOnce'] = (_reference, signal, pulled) =>
    pulled(signal, (layers) => heard.push(Object.fromEntries(layers)))
  await pullAndWait('ubuntu', contextFor(double.docker, { pullOnce }))
  const last = { status: 'Downloading', current: 5, total: 10 }
  expect(heard).toEqual([
    { '0123456789ab': { status: 'Pulling fs layer' } },
    { '0123456789ab': last },
    { '0123456789ab': last, ba9876543210: { status: 'x'.repeat(40) } },
  ])
})

test('of more layers than an image has nothing more is said', async () => {
  const said = Array.from({ length: 300 }, (_, n) => ({ status: 'Waiting', id: String(n).padStart(12, '0') }))
  double.answer(route, (response) => response.end(said.map(line).join('')))
  let most = 0
  const pullOnce: ActionContext['pullOnce'] = (_reference, signal, pulled) =>
    pulled(signal, (layers) => (most = layers.size))
  await pullAndWait('ubuntu', contextFor(double.docker, { pullOnce }))
  expect(most).toBe(200)
})

test('fails with the error that Docker reports inside the progress, after its 200', async () => {
  double.answer(route, (response) => {
    response.write(line({ status: 'Pulling from library/ubuntu' }))
    response.end(line({ errorDetail: { message: 'no space left on device' }, error: 'no space left on device' }))
  })
  await expect(pull()).rejects.toMatchObject({
    code: 'docker_error',
    status: 500,
    message: 'pull of ubuntu: no space left on device',
  })
})

test('reads an error in a last line without an end, also where it comes byte by byte', async () => {
  const bytes = Buffer.from(line({ status: 'Größe' }) + JSON.stringify({ error: 'gröber' }))
  const pieces = Array.from(bytes, (byte) => Buffer.from([byte]))
  const stream = Readable.from(pieces, { objectMode: false, highWaterMark: 1 })
  jest.spyOn(double.docker, 'createImage').mockResolvedValueOnce(stream)
  await expect(pull()).rejects.toMatchObject({ message: 'pull of ubuntu: gröber' })
})

test('fails with Docker’s own status where it refuses at once', async () => {
  double.answer(route, { status: 404, body: { message: 'pull access denied for ubuntu' } })
  await expect(pull()).rejects.toMatchObject({ statusCode: 404 })
})

test('does not know the outcome when the stream is cut short', async () => {
  double.answer(route, (response) => {
    response.write(line({ status: 'Downloading' }), () => response.destroy())
  })
  await expect(pull()).rejects.toMatchObject({ code: 'ECONNRESET', message: expect.stringContaining('pull of ubuntu') })
})

test.each([
  ['no JSON', 'not json\n'],
  ['a line longer than any progress', JSON.stringify({ status: 'x'.repeat(2 ** 20) })],
])('does not trust a stream that holds %s', async (_, text) => {
  double.answer(route, (response) => response.end(text))
  await expect(pull()).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test('lets go of the connection when it is aborted in the middle', async () => {
  const answering = answerOnceAndHang()
  const createImage = jest.spyOn(double.docker, 'createImage')
  const controller = new AbortController()
  const pulling = pull(controller.signal)
  await createImage.mock.results[0]?.value
  controller.abort(new Error('cancelled'))
  await expect(pulling).rejects.toThrow('cancelled')
  await once(await answering, 'close')
})

test('lets go of a stream that dockerode does not end by itself', async () => {
  const stream = new PassThrough()
  jest.spyOn(double.docker, 'createImage').mockResolvedValueOnce(stream)
  const controller = new AbortController()
  const pulling = pull(controller.signal)
  controller.abort(new Error('cancelled'))
  await expect(pulling).rejects.toThrow('cancelled')
  expect(stream.destroyed).toBe(true)
})

test('begins nothing when it was aborted before', async () => {
  await expect(pull(AbortSignal.abort(new Error('cancelled')))).rejects.toMatchObject({ code: 'ABORT_ERR' })
  expect(double.asked).toEqual([])
})

test('refuses an id, which no registry could resolve', async () => {
  const id = `sha256:${'a'.repeat(64)}`
  await expect(pullAndWait(id, contextFor(double.docker))).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(/^image: expected a reference .*; got "sha256:a/),
  })
  expect(double.asked).toEqual([])
})

/** A pull that never ends; resolves to its answer once that has begun. */
function answerOnceAndHang(): Promise<ServerResponse> {
  return new Promise((resolve) => {
    double.answer(route, (response) => {
      response.write(line({ status: 'Downloading' }))
      resolve(response)
    })
  })
}

describe('with a login', () => {
  const login = { username: 'anna', password: 'geheim' }
  const context = (more = {}) => contextFor(double.docker, { secrets: { registry: login }, ...more })

  test('Docker is told it, and the address of the request is not', async () => {
    const asked = jest.spyOn(double.docker.modem, 'dial')
    double.answer(route, { status: 200, body: { status: 'Pull complete' } })
    await pullAndWait('ubuntu', context())
    expect(asked.mock.calls[0]?.[0]).toMatchObject({ authconfig: login })
    expect(JSON.stringify(double.asked[0]?.query)).not.toContain('geheim')
  })

  test('nobody joins the pull, and it joins nobody’s', async () => {
    const names: string[] = []
    const pullOnce = async (reference: string) => void names.push(reference)
    for (const given of [context({ pullOnce }), context({ pullOnce }), contextFor(double.docker, { pullOnce })])
      await pullAndWait('ubuntu', given)
    expect(new Set(names).size).toBe(3)
    expect(names[2]).toBe('ubuntu:latest')
  })
})
