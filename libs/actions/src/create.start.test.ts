import { createContainerOnce } from './create'
import { contextFor, someId } from './testing/context'
import { useDockerDouble } from './testing/docker-double'

const double = useDockerDouble()
const otherId = 'fedcba9876543210'.repeat(4)
const created = (id: string) => ({ status: 201, body: { Id: id, Warnings: null } })
const done = { status: 204 }
const asked = () => double.asked.map(({ what }) => what)
const create = () => createContainerOnce({ Image: 'ubuntu' }, { name: 'web', start: true }, contextFor(double.docker))
const inState = (status: string) => ({
  status: 200,
  body: { Id: someId, Config: { Labels: null }, State: { Status: status } },
})

/** Says nothing to a start, as dockerd does that has lost track of the container; the clock is put on when it was asked. */
const silent = () => jest.advanceTimersByTime(61_000)

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] })
})

afterEach(() => jest.useRealTimers())

describe('a start that is never answered', () => {
  beforeEach(() => double.answer(`POST /containers/${someId}/start`, silent))

  test('has its container made anew, for that one has never run', async () => {
    double.answer('POST /containers/create', created(someId), created(otherId))
    double.answer('GET /containers/web/json', inState('created'))
    double.answer(`DELETE /containers/${someId}`, done)
    double.answer(`POST /containers/${otherId}/start`, done)
    await expect(create()).resolves.toMatchObject({ container: { id: otherId, name: 'web' } })
    expect(asked().slice(-2)).toEqual(['POST /containers/create', `POST /containers/${otherId}/start`])
  })

  test('has taken effect where the container runs', async () => {
    double.answer('POST /containers/create', created(someId))
    double.answer('GET /containers/web/json', inState('running'))
    await expect(create()).resolves.toMatchObject({ container: { id: someId } })
    expect(asked()).not.toContain(`DELETE /containers/${someId}`)
  })
})
