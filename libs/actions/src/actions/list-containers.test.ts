import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { listContainers } from './list-containers'

const double = useDockerDouble()
const listed = [
  { Id: someId, Names: ['/web'], Image: 'ubuntu', Created: 0, State: 'exited', Status: 'Exited (0)', Labels: {} },
]

test('answers Docker’s own list of all containers, stopped ones too', async () => {
  double.answer('GET /containers/json', { status: 200, body: listed })
  const result = await listContainers.run({}, contextFor(double.docker))
  expect(result).toEqual({ statusCode: 200, body: listed })
  expect(double.asked).toEqual([{ what: 'GET /containers/json', query: { all: 'true' }, body: undefined }])
})

test('shapes rows for REST, seen just now', () => {
  const before = Date.now()
  const { items } = listContainers.present?.(listed, 'dock-1') as { items: { observedAt: string }[] }
  expect(items).toMatchObject([{ id: someId, name: 'web', dock: 'dock-1', state: 'exited', stale: false }])
  expect(Date.parse(items[0]?.observedAt ?? '')).toBeGreaterThanOrEqual(before)
})
