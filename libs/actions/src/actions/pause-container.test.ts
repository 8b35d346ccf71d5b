import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { pauseContainer } from './pause-container'

const double = useDockerDouble()
const route = `POST /containers/${someId}/pause`
const pause = () => pauseContainer.run({ id: someId }, contextFor(double.docker))

test('asks Docker to pause the container', async () => {
  double.answer(route, { status: 204 })
  await expect(pause()).resolves.toEqual({ statusCode: 204 })
  expect(double.asked).toEqual([{ what: route, query: {}, body: undefined }])
})

test('fails with Docker’s own status where that cannot be', async () => {
  double.answer(route, { status: 409, body: { message: 'is already paused' } })
  await expect(pause()).rejects.toMatchObject({ statusCode: 409, json: { message: 'is already paused' } })
})
