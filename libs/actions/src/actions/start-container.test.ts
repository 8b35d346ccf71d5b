import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { startContainer } from './start-container'

const double = useDockerDouble()
const start = () => startContainer.run({ id: someId }, contextFor(double.docker))

test('asks Docker to start the container', async () => {
  double.answer(`POST /containers/${someId}/start`, { status: 204 })
  await expect(start()).resolves.toEqual({ statusCode: 204 })
  expect(double.asked).toEqual([{ what: `POST /containers/${someId}/start`, query: {}, body: undefined }])
})

test('takes a container that runs already for success, and passes the 304 on', async () => {
  double.answer(`POST /containers/${someId}/start`, { status: 304 })
  await expect(start()).resolves.toEqual({ statusCode: 304 })
})

test('fails with Docker’s own status where there is no such container', async () => {
  double.answer(`POST /containers/${someId}/start`, { status: 404, body: { message: 'No such container' } })
  await expect(start()).rejects.toMatchObject({ statusCode: 404, json: { message: 'No such container' } })
})
