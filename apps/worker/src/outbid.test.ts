import { outbid, type Slotted } from './outbid'

const container = (fields: Partial<Slotted> = {}): Slotted => ({ id: 'a', job: 'job-7', slot: 1, epoch: 2, ...fields })

test.each([
  ['another dock was given its slot in a later epoch', { hostname: 'dock-2', epoch: 3 }, true],
  ['this dock was given its slot again', { hostname: 'dock-1', epoch: 3 }, false],
  ['this dock still has its slot', { hostname: 'dock-1', epoch: 2 }, false],
  ['another dock had its slot before', { hostname: 'dock-2', epoch: 1 }, false],
  ['nobody has its slot any more', null, false],
])('a container is outbid if a later epoch is another dock’s: %s', (_, claim, expected) => {
  expect(outbid([container()], [claim], 'dock-1')).toHaveLength(expected ? 1 : 0)
})

test('each container is judged by the claim of its own slot', () => {
  const containers = [container({ id: 'a' }), container({ id: 'b', slot: 2 }), container({ id: 'c', slot: 3 })]
  const claims = [{ hostname: 'dock-1', epoch: 2 }, { hostname: 'dock-2', epoch: 3 }, null]
  expect(outbid(containers, claims, 'dock-1').map(({ id }) => id)).toEqual(['b'])
})

test('a container whose labels somebody has broken is left alone', () => {
  expect(outbid([container({ epoch: NaN })], [{ hostname: 'dock-2', epoch: 3 }], 'dock-1')).toEqual([])
})
