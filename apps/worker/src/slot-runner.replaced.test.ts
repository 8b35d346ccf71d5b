import { someId } from '../../../libs/actions/src/testing/context'
import { eventually } from '../../../test/support/eventually'
import { useSlots } from './testing/slots-on-redis'

const { use, double, asked, accepted, running, outcome } = useSlots()
const createRoute = 'POST /containers/create'

test('what a worker has made while another took its dock over is not how the slot ends, before it may write again', async () => {
  const { docks } = use.fleet()
  double.answer(createRoute, { status: 201, body: { Id: someId, Warnings: [] } })
  const record = await accepted('create-container', { params: { image: 'busybox' } })
  await docks.acquireLease('here', 'successor')
  const { run, runner } = running()
  const ended = run(record)
  // It looks where the slot is now, and is still its dock's.
  await eventually(() => asked().filter((what) => what === createRoute).length > 1)
  await expect(outcome(record)).resolves.toBeNull()
  await docks.releaseLease('here', 'successor')
  await ended
  await runner.allRecorded()
  await expect(outcome(record)).resolves.toMatchObject({ state: 'completed', dock: 'here' })
})
