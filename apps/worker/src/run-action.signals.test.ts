import { getEventListeners } from 'node:events'
import { DebloxError } from '@deblox/actions/errors'
import { someId } from '../../../libs/actions/src/testing/context'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { runAction } from './run-action'
import { slotOf, runContextDouble } from './testing/run-context-double'

const double = useDockerDouble()
const start = slotOf('start-container', { id: someId })
const startRoute = `POST /containers/${someId}/start`
const create = slotOf('create-container', { image: 'busybox' })

/** A dock whose lease and daemon live as long as its process, and how many listen to them. */
function dock(given?: Parameters<typeof runContextDouble>[1]) {
  const { context, lost, daemon } = runContextDouble(double.docker, given)
  const stop = new AbortController()
  const lease = new AbortController()
  context.leaseLost = () => lease.signal
  const listeners = () => [stop, lease, lost.daemon].map(({ signal }) => getEventListeners(signal, 'abort').length)
  return { context, stop, lease, lost, daemon, listeners, run: (slot = start) => runAction(slot, stop.signal, context) }
}

test('nothing of a job listens any more when it has ended, however it did', async () => {
  const { run, listeners } = dock()
  const during: number[][] = []
  const answered = { status: 204 }
  double.answer(
    startRoute,
    (response) => {
      during.push(listeners())
      response.writeHead(204).end()
    },
    answered,
    { status: 404, body: { message: 'No such container' } },
    answered,
  )
  for (let jobs = 0; jobs < 30; jobs++) await run().catch(() => undefined)
  expect(double.asked).toHaveLength(30)
  expect(during).toEqual([[1, 1, 1]])
  expect(listeners()).toEqual([0, 0, 0])
})

test('nor of one that was tried again, or handed on, or refused', async () => {
  double.answer(startRoute, (response) => response.destroy(), { status: 304 })
  const { run, listeners } = dock({ claimed: { hostname: 'there', epoch: 1 }, leased: ['there'] })
  await expect(run()).resolves.toMatchObject({ envelope: { statusCode: 304 } })
  await expect(run(create)).resolves.toEqual({ handOn: 'deblox.docker.there' })
  await expect(run(slotOf('no-such-action', {}))).rejects.toMatchObject({ code: 'unknown_action' })
  expect(listeners()).toEqual([0, 0, 0])
})

test.each(['stop', 'lease'] as const)('one that waits for the daemon ends with the reason of %s', async (which) => {
  const { [which]: source, daemon, run, listeners } = dock()
  daemon.set(false)
  const running = run()
  const reason = new DebloxError('lease_lost', 'it is lost')
  source.abort(reason)
  await expect(running).rejects.toBe(reason)
  expect(listeners()).toEqual([0, 0, 0])
})
