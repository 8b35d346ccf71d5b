import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { inspectContainer } from './inspect-container'

const double = useDockerDouble()
const route = `GET /containers/${someId}/json`

test('answers what Docker says of the container', async () => {
  double.answer(route, { status: 200, body: { Id: someId, Name: '/web' } })
  const result = await inspectContainer.run({ id: someId }, contextFor(double.docker))
  expect(result).toEqual({ statusCode: 200, body: { Id: someId, Name: '/web' } })
  expect(double.asked).toEqual([{ what: route, query: {}, body: undefined }])
})

test('has Docker measure the files where asked', async () => {
  double.answer(route, { status: 200, body: {} })
  await inspectContainer.run({ id: someId, size: true }, contextFor(double.docker))
  expect(double.asked[0]?.query).toEqual({ size: 'true' })
})

test('fails with Docker’s own status where there is no such container', async () => {
  double.answer(route, { status: 404, body: { message: 'No such container' } })
  await expect(inspectContainer.run({ id: someId }, contextFor(double.docker))).rejects.toMatchObject({
    statusCode: 404,
  })
})

test('answers without the values that the container’s label calls secret', async () => {
  const Config = { Env: ['A=1', 'TOKEN=x'], Labels: { 'deblox.secrets': 'TOKEN' } }
  double.answer(route, { status: 200, body: { Id: someId, Config } })
  const { body } = await inspectContainer.run({ id: someId }, contextFor(double.docker))
  expect(body).toEqual({ Id: someId, Config: { ...Config, Env: ['A=1', 'TOKEN=***'] } })
})
