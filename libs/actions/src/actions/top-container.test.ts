import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { topContainer } from './top-container'

const double = useDockerDouble()
const route = `GET /containers/${someId}/top`
const processes = { Titles: ['PID', 'CMD'], Processes: [['1', 'sh']] }

test('answers what Docker says of the processes', async () => {
  double.answer(route, { status: 200, body: processes })
  const result = await topContainer.run({ id: someId }, contextFor(double.docker))
  expect(result).toEqual({ statusCode: 200, body: processes })
  expect(double.asked).toEqual([{ what: route, query: {}, body: undefined }])
})

test('has ps show what is asked for', async () => {
  double.answer(route, { status: 200, body: processes })
  await topContainer.run({ id: someId, psArgs: '-o pid,args' }, contextFor(double.docker))
  expect(double.asked[0]?.query).toEqual({ ps_args: '-o pid,args' })
})

test.each(['aux', 'ax', '-ef', '-eF', '-e', '-o pid', '-o pid,user,%cpu,args', '-eo pid,comm'])(
  'lets ps be asked with %s',
  (psArgs) => {
    expect(topContainer.params.validate({ id: 'web', psArgs }).error).toBeUndefined()
  },
)

// With `e` ps shows the environment of each process, in which secrets stand; and a dash before it is no help, as ps reads
// `-axe` as `axe` where there is no user of the name xe.
test.each([
  'e',
  'axe',
  'auxe',
  '-axe',
  'auxwwe',
  '-o environ',
  '-o pid,environ',
  '-p 1',
  '--pid 1',
  '-o pid=x',
  '-fe -o pid,args',
  'ax -o pid',
  'aux;id',
  '',
])('does not let ps be asked with %j', (psArgs) => {
  expect(topContainer.params.validate({ id: 'web', psArgs }).error).toBeDefined()
})
