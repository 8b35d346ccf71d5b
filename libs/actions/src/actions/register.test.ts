import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { fleetDouble } from '../testing/fleet-double'
import { register } from './register'

const double = useDockerDouble()

test('adds the dock to the fleet, and reaches no daemon', async () => {
  const { docks, asked, asOf } = fleetDouble()
  const context = contextFor(double.docker, { docks })
  const job = { ...context.job, acceptedAt: 1_700_000_000_000 }
  const result = await register.run({ hostname: 'dock-9' }, { ...context, job })
  expect(result).toEqual({ statusCode: 204 })
  expect(asked).toEqual(['register dock-9'])
  // What was accepted last stands: the fleet has to know when that was.
  expect(asOf).toEqual([1_700_000_000_000])
  expect(double.asked).toEqual([])
})

test('goes to the cluster: the hostname is what it is about, not where it goes', () => {
  expect(register.target).toBe('cluster')
  expect(register.split({ hostname: 'dock-9' })).toEqual({ params: { hostname: 'dock-9' }, routing: {} })
})
