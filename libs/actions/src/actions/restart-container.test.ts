import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { restartContainer } from './restart-container'

const double = useDockerDouble()
const route = `POST /containers/${someId}/restart`
const restart = (options: object) => restartContainer.run({ id: someId, ...options }, contextFor(double.docker))

test('asks Docker to restart the container, with the time-out', async () => {
  double.answer(route, { status: 204 })
  await expect(restart({ timeout: 3 })).resolves.toEqual({ statusCode: 204 })
  expect(double.asked).toMatchObject([{ what: route, query: { t: '3' } }])
})

test('refuses a signal for an engine that would ignore it, and leaves the container alone', async () => {
  double.answer('GET /version', { status: 200, body: { ApiVersion: '1.41' } })
  await expect(restart({ signal: 'SIGINT' })).rejects.toMatchObject({ code: 'invalid_request' })
  expect(double.asked.map(({ what }) => what)).toEqual(['GET /version'])
})

test('is not run again when its outcome is not known, because that would restart the container twice', () => {
  expect(restartContainer.idempotent).toBeUndefined()
})
