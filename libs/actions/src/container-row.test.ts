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
