import type { ActionContext } from '../define-action'
import { contextFor, ownersDouble, someId } from '../testing/context'
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

describe('whose a container is', () => {
  const labels = { 'deblox.owner': 'anna', app: 'web' }
  const bodyWith = async (more: Partial<ActionContext>) => {
    double.answer('GET /containers/json', { status: 200, body: [{ ...listed[0], Labels: labels }] })
    return (await listContainers.run({}, contextFor(double.docker, more))).body
  }

  test('is what the dock knows, not what a label says', async () => {
    const owners = (owner: string | null) => ({ ...ownersDouble, ownerOf: () => owner })
    expect(await bodyWith({ owners: owners('ben') })).toMatchObject([{ Labels: { 'deblox.owner': 'ben', app: 'web' } }])
    expect(await bodyWith({ owners: owners(null) })).toEqual([{ ...listed[0], Labels: { app: 'web' } }])
  })

  test('decides who is shown it', async () => {
    expect(await bodyWith({ view: { owners: ['anna'], granted: [] } })).toHaveLength(1)
    expect(await bodyWith({ view: { owners: ['ben'], granted: [] } })).toEqual([])
    expect(await bodyWith({ view: { owners: ['ben'], granted: [{ docks: ['dock-1'] }] } })).toHaveLength(1)
  })
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
