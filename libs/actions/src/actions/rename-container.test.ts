import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { renameContainer } from './rename-container'

const double = useDockerDouble()
const route = `POST /containers/${someId}/rename`
const rename = () => renameContainer.run({ id: someId, name: 'web-2' }, contextFor(double.docker))

test('asks Docker to give the container the name', async () => {
  double.answer(route, { status: 204 })
  await expect(rename()).resolves.toEqual({ statusCode: 204 })
  expect(double.asked).toMatchObject([{ what: route, query: { name: 'web-2' } }])
})

test('fails with Docker’s own status where the name is taken', async () => {
  double.answer(route, { status: 409, body: { message: 'already in use' } })
  await expect(rename()).rejects.toMatchObject({ statusCode: 409 })
})
