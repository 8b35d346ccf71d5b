import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { someId } from '../../../libs/actions/src/testing/context'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { openDocker, troubleOf } from './docker'

const double = useDockerDouble()
let held = true
const { socketPath } = double.docker.modem as unknown as { socketPath: string }
const opened = () => openDocker(`unix://${socketPath}`, () => held)

beforeEach(() => {
  held = true
})

describe('while the lease is not held', () => {
  beforeEach(() => {
    held = false
  })

  test.each([
    ['a start', () => opened().getContainer(someId).start()],
    ['a stop', () => opened().getContainer(someId).stop()],
    ['a removal', () => opened().getContainer(someId).remove()],
    ['a create', () => opened().createContainer({ Image: 'busybox' })],
    ['a pull', () => opened().pull('busybox')],
    [
      'an exec',
      () =>
        opened()
          .getContainer(someId)
          .exec({ Cmd: ['id'] }),
    ],
    ['what an action dials by itself', () => dialled('POST')],
    ['a method that nobody thought of', () => dialled('PATCH')],
  ])('refuses %s before it is sent', async (_, write) => {
    await expect(write()).rejects.toMatchObject({ code: 'lease_lost' })
    expect(double.asked).toEqual([])
  })

  test('lets reads through', async () => {
    double.answer('GET /containers/json', { status: 200, body: [] })
    await expect(opened().listContainers()).resolves.toEqual([])
  })

  test('asks anew for every request', async () => {
    double.answer(`POST /containers/${someId}/start`, { status: 204 })
    const docker = opened()
    await expect(docker.getContainer(someId).start()).rejects.toMatchObject({ code: 'lease_lost' })
    held = true
    await docker.getContainer(someId).start()
    held = false
    await expect(docker.getContainer(someId).start()).rejects.toMatchObject({ code: 'lease_lost' })
    expect(double.asked).toHaveLength(1)
  })
})

test('sends writes while the lease is held', async () => {
  double.answer(`POST /containers/${someId}/start`, { status: 204 })
  await opened().getContainer(someId).start()
  expect(double.asked.map(({ what }) => what)).toEqual([`POST /containers/${someId}/start`])
})

test('follows no redirect, and survives one', async () => {
  const elsewhere = createServer((_request, response) => response.end('{}'))
  const asked = jest.fn()
  elsewhere.on('request', asked)
  elsewhere.listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  const { port } = elsewhere.address() as AddressInfo
  for (const location of [`http://127.0.0.1:${port}/info`, '/info', 'weird://x', 'http://[bad']) {
    double.answer(`GET /containers/${someId}/json`, (response) => response.writeHead(301, { Location: location }).end())
    await expect(opened().getContainer(someId).inspect()).rejects.toThrow(/another status from the daemon than 301/)
  }
  expect(asked).not.toHaveBeenCalled()
  elsewhere.close()
})

describe('troubleOf', () => {
  test('is none while the daemon answers a ping', async () => {
    double.answer('GET /_ping', (response) => response.end('OK'))
    await expect(troubleOf(opened())).resolves.toBeUndefined()
  })

  test('is what the daemon says that fails', async () => {
    double.answer('GET /_ping', { status: 500, body: { message: 'no disk' } })
    await expect(troubleOf(opened())).resolves.toMatchObject({ statusCode: 500 })
  })

  test('is found in time where the daemon takes the request and never answers', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })
    const arrived = new Promise<void>((resolve) => double.answer('GET /_ping', () => resolve()))
    const trouble = troubleOf(opened())
    await arrived
    jest.advanceTimersByTime(2_000)
    await expect(trouble).resolves.toMatchObject({ name: 'DeadlineError' })
    jest.useRealTimers()
  })

  test('is that nobody listens', async () => {
    const trouble = await troubleOf(openDocker('unix:///nowhere/docker.sock', () => true))
    expect(trouble).toMatchObject({ code: 'ENOENT' })
  })
})

function dialled(method: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    opened().modem.dial({ path: '/containers/create?', method, statusCodes: { 200: true } }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    )
  })
}
