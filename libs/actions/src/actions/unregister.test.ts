import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { fleetDouble } from '../testing/fleet-double'
import { unregister } from './unregister'

const double = useDockerDouble()

test('takes the dock out of the fleet, and reaches no daemon', async () => {
  const { docks, asked } = fleetDouble()
  const result = await unregister.run({ hostname: 'dock-9' }, contextFor(double.docker, { docks }))
  expect(result).toEqual({ statusCode: 204 })
  expect(asked).toEqual(['unregister dock-9'])
  expect(double.asked).toEqual([])
})

test('goes to the cluster: the hostname is what it is about, not where it goes', () => {
  expect(unregister.target).toBe('cluster')
  expect(unregister.split({ hostname: 'dock-9' })).toEqual({ params: { hostname: 'dock-9' }, routing: {} })
})
