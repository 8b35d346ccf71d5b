import { contextFor, ownersDouble, someId } from '../../../libs/actions/src/testing/context'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { requireGiven } from './rights'

const double = useDockerDouble()
const labels = { 'deblox.owner': 'anna', app: 'web' }
const route = `GET /containers/${someId}/json`
const { signal } = contextFor(double.docker)

const look = (given: Parameters<typeof requireGiven>[0], known?: Record<string, string>) =>
  requireGiven(
    given,
    someId,
    { docker: double.docker, hostname: 'here', owners: ownersDouble, labelsOf: () => known },
    signal,
  )

test.each([undefined, {}, { owner: 'anna' }, { labels: { app: 'web' } }, { owner: 'anna', labels: { app: 'web' } }])(
  'what was allowed on %j is so: it goes on, and the daemon is not asked',
  async (given) => {
    await look(given, labels)
    expect(double.asked).toEqual([])
  },
)

test.each([
  [{ owner: 'ben' }, /expected the container to belong to ben, got .* nothing was done/],
  [{ labels: { app: 'db' } }, /to carry {"app":"db"}/],
])('what was allowed on %j is not so: nothing is done', async (given, message) => {
  await expect(look(given, labels)).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringMatching(message),
  })
})

test('of a container that is not known yet the daemon is asked', async () => {
  double.answer(route, { status: 200, body: { Config: { Labels: labels } } })
  await look({ owner: 'anna' })
  await expect(look({ owner: 'ben' })).rejects.toMatchObject({ code: 'forbidden' })
  expect(double.asked).toHaveLength(2)
})

test('one that is gone is for the action to tell, a daemon that fails is not', async () => {
  double.answer(route, { status: 404, body: { message: 'No such container' } })
  await look({ owner: 'anna' })
  double.reset()
  double.answer(route, { status: 500, body: { message: 'oh' } })
  await expect(look({ owner: 'anna' })).rejects.toMatchObject({ statusCode: 500 })
})
