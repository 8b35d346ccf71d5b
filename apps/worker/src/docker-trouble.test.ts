import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { openDocker, troubleAtWork, troubleOf } from './docker'

const double = useDockerDouble()
const { socketPath } = double.docker.modem as unknown as { socketPath: string }
const opened = () => openDocker(`unix://${socketPath}`, () => true)
const pong = () => double.answer('GET /_ping', (response) => response.end('OK'))

afterEach(() => jest.useRealTimers())

/** The two seconds that the daemon has for an answer pass only when a test says so. */
const holdTime = () => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })

test('a ping of a daemon that never answers leaves no connection behind', async () => {
  holdTime()
  const closed = new Promise<void>((resolve) => {
    double.answer('GET /_ping', (response) => {
      response.on('close', resolve)
      jest.advanceTimersByTime(2_000)
    })
  })
  await expect(troubleOf(opened())).resolves.toMatchObject({ name: 'DeadlineError' })
  await closed
})

test('real work is a ping, and a list of one container', async () => {
  pong()
  double.answer('GET /containers/json', { status: 200, body: [] })
  await expect(troubleAtWork(opened())).resolves.toBeUndefined()
  expect(double.asked.at(-1)?.query).toEqual({ limit: '1' })
})

test('nothing more is asked of a daemon that does not answer a ping', async () => {
  double.answer('GET /_ping', { status: 500, body: { message: 'no disk' } })
  await expect(troubleAtWork(opened())).resolves.toMatchObject({ statusCode: 500 })
  expect(double.asked).toHaveLength(1)
})

test('a daemon that answers pings and nothing else is found out in time', async () => {
  holdTime()
  pong()
  const arrived = new Promise<void>((resolve) => double.answer('GET /containers/json', () => resolve()))
  const trouble = troubleAtWork(opened())
  await arrived
  jest.advanceTimersByTime(2_000)
  await expect(trouble).resolves.toMatchObject({ name: 'DeadlineError' })
})
