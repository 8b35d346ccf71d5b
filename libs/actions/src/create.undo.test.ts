import { undoCreate } from './create'
import { contextFor, someId } from './testing/context'
import { useDockerDouble } from './testing/docker-double'

const double = useDockerDouble()
const inspectRoute = 'GET /containers/web/json'
const removeRoute = `DELETE /containers/${someId}`
const gone = { status: 404, body: { message: 'No such container' } }
const removed = { status: 204 }
const asked = () => double.asked.map(({ what }) => what)
const undo = (given?: Parameters<typeof contextFor>[1]) => undoCreate({ name: 'web' }, contextFor(double.docker, given))

const own = { 'deblox.job': 'job-7', 'deblox.slot': '1' }
const holder = (labels: object | null) => ({
  status: 200,
  body: { Id: someId, Config: { Labels: labels }, State: { Status: 'running' } },
})

test('removes by its id what this job and slot has made, running or not, with its volumes', async () => {
  double.answer(inspectRoute, holder(own))
  double.answer(removeRoute, removed)
  await undo()
  expect(double.asked.at(-1)).toMatchObject({ what: removeRoute, query: { force: 'true', v: 'true' } })
})

test.each([
  ['another job’s', { ...own, 'deblox.job': 'job-8' }],
  ['another slot’s', { ...own, 'deblox.slot': '2' }],
  ['nobody’s that we know', { team: 'blue' }],
  ['without labels', null],
])('leaves alone what has the name and is %s', async (_, labels) => {
  double.answer(inspectRoute, holder(labels))
  await undo()
  expect(asked()).not.toContain(removeRoute)
})

test('has nothing to remove where nothing was made', async () => {
  double.answer(inspectRoute, gone)
  await expect(undo()).resolves.toBeUndefined()
  expect(asked()).toEqual([inspectRoute, inspectRoute])
})

test('removes what appears late: a create was on its way while its job was ended', async () => {
  double.answer(inspectRoute, gone, holder(own))
  double.answer(removeRoute, removed)
  await undo()
  expect(asked()).toEqual([inspectRoute, inspectRoute, removeRoute])
})

test('takes a container that somebody else removed at that moment for removed', async () => {
  double.answer(inspectRoute, holder(own))
  double.answer(removeRoute, gone)
  await expect(undo()).resolves.toBeUndefined()
})

test('fails with the daemon’s words where it will not remove it', async () => {
  double.answer(inspectRoute, holder(own))
  double.answer(removeRoute, { status: 500, body: { message: 'device is busy' } })
  await expect(undo()).rejects.toMatchObject({ statusCode: 500, json: { message: 'device is busy' } })
})

test('waits for what may appear late no longer than it may', async () => {
  double.answer(inspectRoute, gone)
  const stop = new AbortController()
  const undoing = undo({ signal: stop.signal })
  stop.abort(new Error('the worker stops'))
  await expect(undoing).rejects.toMatchObject({ name: 'AbortError' })
})
