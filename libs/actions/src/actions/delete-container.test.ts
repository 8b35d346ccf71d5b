import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { deleteContainer } from './delete-container'

const double = useDockerDouble()
const route = `DELETE /containers/${someId}`
const inspect = `GET /containers/${someId}/json`
const conflict = { status: 409, body: { message: 'conflict' } }
const gone = { status: 404, body: { message: 'No such container' } }
const remove = (options = {}) => deleteContainer.run({ id: someId, ...options }, contextFor(double.docker))

test('asks Docker to remove the container, and for nothing more', async () => {
  double.answer(route, { status: 204 })
  await expect(remove()).resolves.toEqual({ statusCode: 204 })
  expect(double.asked).toEqual([{ what: route, query: {}, body: undefined }])
})

test('passes force and volumes on as Docker calls them', async () => {
  double.answer(route, { status: 204 })
  await remove({ force: true, volumes: false })
  expect(double.asked[0]?.query).toEqual({ force: 'true', v: 'false' })
})

test('takes a container that is gone already for success', async () => {
  double.answer(route, gone)
  await expect(remove()).resolves.toEqual({ statusCode: 204 })
})

test('fails with Docker’s own status where the container runs', async () => {
  double.answer(route, conflict)
  double.answer(inspect, { status: 200, body: { State: { Status: 'running' } } })
  await expect(remove()).rejects.toMatchObject({ statusCode: 409, json: conflict.body })
})

test('waits for a removal that is under way, and asks again what became of it', async () => {
  double.answer(route, conflict, gone)
  double.answer(inspect, { status: 200, body: { State: { Status: 'removing' } } })
  double.answer(`POST /containers/${someId}/wait`, { status: 200, body: { StatusCode: 0 } })
  await expect(remove()).resolves.toEqual({ statusCode: 204 })
  expect(double.asked.map(({ what }) => what)).toEqual([route, inspect, `POST /containers/${someId}/wait`, route])
  expect(double.asked[2]?.query).toEqual({ condition: 'removed' })
})

test('takes a container that goes while it looks for success', async () => {
  double.answer(route, conflict)
  double.answer(inspect, gone)
  await expect(remove()).resolves.toEqual({ statusCode: 204 })
})
