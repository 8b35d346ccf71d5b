import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { unpauseContainer } from './unpause-container'

const double = useDockerDouble()
const route = `POST /containers/${someId}/unpause`
const unpause = () => unpauseContainer.run({ id: someId }, contextFor(double.docker))

test('asks Docker to unpause the container', async () => {
  double.answer(route, { status: 204 })
  await expect(unpause()).resolves.toEqual({ statusCode: 204 })
  expect(double.asked).toEqual([{ what: route, query: {}, body: undefined }])
})

test('fails with Docker’s own status where that cannot be', async () => {
  double.answer(route, { status: 500, body: { message: 'is not paused' } })
  await expect(unpause()).rejects.toMatchObject({ statusCode: 500, json: { message: 'is not paused' } })
})
