import { someId } from '../../../libs/actions/src/testing/context'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { runAction } from './run-action'
import { runContextDouble, slotOf } from './testing/run-context-double'

const double = useDockerDouble()
const never = new AbortController().signal

const onHostNetwork = { image: 'busybox', network: 'host' }

test('what the job’s rules allow is refused where the dock’s policy does not, before the daemon hears of it', async () => {
  const { context } = runContextDouble(double.docker)
  context.policy = { maxProfile: 'baseline' }
  await expect(runAction(slotOf('create-container', onHostNetwork), never, context)).rejects.toMatchObject({
    code: 'dock_policy',
    status: 403,
    details: { field: 'HostConfig.NetworkMode', profile: 'baseline' },
  })
  expect(double.asked).toEqual([])
})

test('what the dock’s policy allows is refused where the job’s rules do not', async () => {
  const { context } = runContextDouble(double.docker)
  context.defaultRules = { profile: 'restricted' }
  await expect(runAction(slotOf('create-container', onHostNetwork), never, context)).rejects.toMatchObject({
    code: 'admission_denied',
  })
  expect(double.asked).toEqual([])
})

test('what both allow reaches the daemon', async () => {
  double.answer('POST /containers/create', { status: 201, body: { Id: someId, Warnings: null } })
  const { context } = runContextDouble(double.docker)
  await runAction(slotOf('create-container', onHostNetwork), never, context)
  expect(double.asked[0]?.body).toMatchObject({ HostConfig: { NetworkMode: 'host' } })
})

test('an action that the policy does not name does not run, nor claim a container to make', async () => {
  const { context, claim } = runContextDouble(double.docker)
  context.policy = { maxProfile: 'privileged', actions: ['start-container'] }
  for (const slot of [slotOf('create-container', { image: 'busybox' }), slotOf('stop-container', { id: someId })]) {
    await expect(runAction(slot, never, context)).rejects.toMatchObject({ code: 'dock_policy', status: 403 })
  }
  expect(claim()).toBeUndefined()
  expect(double.asked).toEqual([])
  double.answer(`POST /containers/${someId}/start`, { status: 204 })
  await runAction(slotOf('start-container', { id: someId }), never, context)
  expect(double.asked).toHaveLength(1)
})
