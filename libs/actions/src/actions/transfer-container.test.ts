import { contextFor, ownersDouble, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { transferContainer } from './transfer-container'

const double = useDockerDouble()
const route = `GET /containers/${someId}/json`

function transfer(): { given: string[]; ended: Promise<unknown> } {
  const given: string[] = []
  const owners = { ...ownersDouble, give: async (id: string, owner: string) => void given.push(`${id} ${owner}`) }
  const ended = transferContainer.run({ id: someId, owner: 'team:ops' }, contextFor(double.docker, { owners }))
  return { given, ended }
}

test('from now on the container belongs to whom it was given', async () => {
  double.answer(route, { status: 200, body: { Id: someId } })
  const { given, ended } = transfer()
  await expect(ended).resolves.toEqual({ statusCode: 204 })
  expect(given).toEqual([`${someId} team:ops`])
})

test('one that is not there is given to nobody', async () => {
  double.answer(route, { status: 404, body: { message: 'No such container' } })
  const { given, ended } = transfer()
  await expect(ended).rejects.toMatchObject({ statusCode: 404 })
  expect(given).toEqual([])
})

test.each(['', 'a b', 'größe', 'a'.repeat(129)])('%j is no owner', (owner) => {
  expect(transferContainer.params.validate({ id: someId, owner }).error?.message).toContain('expected a subject')
})
