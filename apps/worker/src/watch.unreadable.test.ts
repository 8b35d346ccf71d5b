import { pino } from 'pino'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { Gate } from './gate'
import { IndexDouble, owners } from './testing/watch-doubles'
import { Watch } from './watch'

const double = useDockerDouble()

test('a full list removes also what stands in the index and cannot be read', async () => {
  const index = new IndexDouble()
  index.idsOf = async () => ['x']
  const watch = new Watch(double.docker, index as never, 'here', owners, new Gate(true), pino({ level: 'silent' }))
  double.answer('GET /containers/json', { status: 200, body: [] })
  await watch.listAll()
  expect(index.writes).toEqual([{ rows: [], gone: ['x'], full: true }])
  await watch.stop()
})
