import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { killContainer } from './kill-container'

const double = useDockerDouble()
const route = `POST /containers/${someId}/kill`

test.each([
  ['the signal that was asked for', { signal: 'SIGHUP' }, { signal: 'SIGHUP' }],
  ['Docker’s own where none was', {}, {}],
])('has Docker send %s', async (_, options, query) => {
  double.answer(route, { status: 204 })
  const result = await killContainer.run({ id: someId, ...options }, contextFor(double.docker))
  expect(result).toEqual({ statusCode: 204 })
  expect(double.asked).toMatchObject([{ what: route, query }])
})

test('fails with Docker’s own status where the container does not run', async () => {
  double.answer(route, { status: 409, body: { message: 'is not running' } })
  await expect(killContainer.run({ id: someId }, contextFor(double.docker))).rejects.toMatchObject({ statusCode: 409 })
})

test('is not run again when its outcome is not known, because that would send the signal twice', () => {
  expect(killContainer.idempotent).toBeUndefined()
})
