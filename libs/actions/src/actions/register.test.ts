import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { fleetDouble } from '../testing/fleet-double'
import { register } from './register'

const double = useDockerDouble()

test('adds the dock to the fleet, and reaches no daemon', async () => {
  const { docks, asked } = fleetDouble()
  const result = await register.run({ hostname: 'dock-9' }, contextFor(double.docker, { docks }))
  expect(result).toEqual({ statusCode: 204 })
  expect(asked).toEqual(['register dock-9'])
  expect(double.asked).toEqual([])
})

test('goes to the cluster: the hostname is what it is about, not where it goes', () => {
  expect(register.target).toBe('cluster')
  expect(register.split({ hostname: 'dock-9' })).toEqual({ params: { hostname: 'dock-9' }, routing: {} })
})
