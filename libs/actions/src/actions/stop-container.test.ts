import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { stopContainer } from './stop-container'

const double = useDockerDouble()
const route = `POST /containers/${someId}/stop`
const stop = (options: object) => stopContainer.run({ id: someId, ...options }, contextFor(double.docker))

test('leaves it to Docker how and how long to wait, unless told', async () => {
  double.answer(route, { status: 204 })
  await expect(stop({})).resolves.toEqual({ statusCode: 204 })
  expect(double.asked).toMatchObject([{ what: route, query: {} }])
})

test('passes a time-out on, 0 included', async () => {
  double.answer(route, { status: 204 })
  await stop({ timeout: 0 })
  expect(double.asked).toMatchObject([{ what: route, query: { t: '0' } }])
})

test('passes a signal on to an engine that takes one', async () => {
  double.answer('GET /version', { status: 200, body: { ApiVersion: '1.42' } })
  double.answer(route, { status: 204 })
  await stop({ timeout: 5, signal: 'SIGINT' })
  expect(double.asked[1]).toMatchObject({ what: route, query: { t: '5', signal: 'SIGINT' } })
})

test('refuses a signal for an engine that would ignore it, and leaves the container alone', async () => {
  double.answer('GET /version', { status: 200, body: { ApiVersion: '1.41' } })
  await expect(stop({ signal: 'SIGINT' })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(/^signal: expected none, because this dock's Docker API 1\.41 .*; got "SIGINT"$/),
  })
  expect(double.asked.map(({ what }) => what)).toEqual(['GET /version'])
})

test('takes a container that is stopped already for success, and passes the 304 on', async () => {
  double.answer(route, { status: 304 })
  await expect(stop({})).resolves.toEqual({ statusCode: 304 })
})

test('gives Docker longer than the container gets', () => {
  const { timeoutMs } = stopContainer
  const given = (timeout?: number) => (typeof timeoutMs === 'function' ? timeoutMs({ id: someId, timeout }) : timeoutMs)
  expect(given(3600)).toBeGreaterThan(3_600_000)
  expect(given(0)).toBeGreaterThan(10_000)
  expect(given()).toBeGreaterThan(10_000)
})
