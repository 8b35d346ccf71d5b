import type { FleetDocks } from '../define-action'
import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { register } from './register'
import { unregister } from './unregister'

const double = useDockerDouble()

/** Writes down what is asked of the fleet. */
function fleetDouble(): { docks: FleetDocks; asked: string[] } {
  const asked: string[] = []
  const note = (what: string) => (hostname: string) => Promise.resolve(void asked.push(`${what} ${hostname}`))
  return { docks: { register: note('register'), unregister: note('unregister') }, asked }
}

test.each([register, unregister])('$name reaches the fleet and no daemon', async (action) => {
  const { docks, asked } = fleetDouble()
  const result = await action.run({ hostname: 'dock-9' }, contextFor(double.docker, { docks }))
  expect(result).toEqual({ statusCode: 204 })
  expect(asked).toEqual([`${action.name} dock-9`])
  expect(double.asked).toEqual([])
})

test.each([register, unregister])('$name goes to the cluster: the hostname is what it is about', (action) => {
  const { params, routing } = action.split({ hostname: 'dock-9' })
  expect({ target: action.target, params, routing }).toEqual({
    target: 'cluster',
    params: { hostname: 'dock-9' },
    routing: {},
  })
})
