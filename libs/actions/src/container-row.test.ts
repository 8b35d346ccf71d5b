import type Docker from 'dockerode'
import { containerRow } from './container-row'
import { someId } from './testing/context'

const listed = {
  Id: someId,
  Names: ['/web'],
  Image: 'ubuntu:24.04',
  Created: 1_416_042_687,
  State: 'running',
  Status: 'Up 2 minutes',
  Labels: { 'deblox.owner': 'anna', team: 'blue' },
} as unknown as Docker.ContainerInfo

test('shapes an entry of Docker’s list', () => {
  expect(containerRow(listed, 'dock-1')).toEqual({
    id: someId,
    name: 'web',
    dock: 'dock-1',
    image: 'ubuntu:24.04',
    state: 'running',
    status: 'Up 2 minutes',
    owner: 'anna',
    labels: { 'deblox.owner': 'anna', team: 'blue' },
    createdAt: '2014-11-15T09:11:27.000Z',
  })
})

test.each([
  [['/proxy/web', '/web'], 'web'],
  [['/web', '/proxy/web'], 'web'],
  [['/a/b'], someId.slice(0, 12)],
  [[], someId.slice(0, 12)],
  [null, someId.slice(0, 12)],
])('of the names %j takes %s: no alias of a link', (names, name) => {
  expect(containerRow({ ...listed, Names: names } as Docker.ContainerInfo, 'dock-1').name).toBe(name)
})

test.each([null, {}, { team: 'blue' }])('of a container that Deblox did not make (%j) knows no owner', (labels) => {
  const row = containerRow({ ...listed, Labels: labels } as Docker.ContainerInfo, 'dock-1')
  expect(row).toMatchObject({ owner: null, labels: labels ?? {} })
})

test.each([
  ['Up 2 minutes (healthy)', 'healthy'],
  ['Up 3 seconds (health: starting)', 'starting'],
  ['Up 2 minutes (unhealthy)', 'unhealthy'],
  ['Up 2 minutes', undefined],
  ['Up 2 minutes (Paused)', undefined],
  ['Exited (0) 2 minutes ago', undefined],
  ['Exited (0) (healthy)', undefined],
])('takes how it fares from Docker’s sentence: %s', (status, health) => {
  expect(containerRow({ ...listed, Status: status }, 'dock-1').health).toBe(health)
})

test('tells ports as docker ps does, each once and in an order of its own', () => {
  const [inner, outer] = [
    { PrivatePort: 80, Type: 'tcp' },
    { IP: '0.0.0.0', PrivatePort: 443, PublicPort: 8443, Type: 'tcp' },
  ]
  const six = { IP: '::', PrivatePort: 443, PublicPort: 8443, Type: 'tcp' }
  const odd = [null, {}, 'text', { PrivatePort: '80', Type: 'tcp' }, { PrivatePort: 80 }]
  const portsOf = (ports: unknown) => containerRow({ ...listed, Ports: ports } as Docker.ContainerInfo, 'd').ports
  const told = ['0.0.0.0:8443->443/tcp', '80/tcp', '[::]:8443->443/tcp']
  expect(portsOf([inner, outer, six, ...odd, inner])).toEqual(told)
  expect(portsOf([six, outer, inner])).toEqual(told)
  for (const none of [[], null, undefined, 'text', odd]) expect(portsOf(none)).toBeUndefined()
})
