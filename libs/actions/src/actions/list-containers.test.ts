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
  jest.useFakeTimers({ now: 1_416_042_687_000 })
  expect(listContainers.present?.(listed, 'dock-1')).toEqual([
    {
      id: someId,
      name: 'web',
      dock: 'dock-1',
      image: 'ubuntu',
      state: 'exited',
      status: 'Exited (0)',
      owner: null,
      labels: {},
      createdAt: '1970-01-01T00:00:00.000Z',
      observedAt: '2014-11-15T09:11:27.000Z',
      stale: false,
    },
  ])
  jest.useRealTimers()
})
