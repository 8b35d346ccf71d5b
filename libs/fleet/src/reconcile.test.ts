import { meet } from '@deblox/actions/meeting'
import type { Placement } from './claim'
import { reconcile, reconcileGently, type Slotted } from './reconcile'

const container = (fields: Partial<Slotted> = {}): Slotted => ({ id: 'a', job: 'job-7', slot: 1, epoch: 2, ...fields })
const complete = (...containers: Slotted[]) => ({ complete: true, containers })
const removed = (containers: Slotted[], claims: (Placement | null)[]) =>
  reconcile(complete(...containers), claims, 'dock-1').map(({ remove, why }) => `${remove} ${why}`)
const another = { hostname: 'dock-2', epoch: 3 }

test.each([
  ['another dock was given its slot in a later epoch', { hostname: 'dock-2', epoch: 3 }, ['a superseded']],
  ['another dock has its very epoch: Redis had forgotten this one', { hostname: 'dock-2', epoch: 2 }, ['a superseded']],
  ['its slot was given up or taken away', { hostname: '', epoch: 2 }, ['a superseded']],
  ['this dock still has its slot', { hostname: 'dock-1', epoch: 2 }, []],
  ['this dock was given its slot again, and has not made it anew', { hostname: 'dock-1', epoch: 3 }, []],
  ['the claim is of an earlier epoch: Redis has forgotten', { hostname: 'dock-2', epoch: 1 }, []],
  ['nobody has its slot any more', null, []],
])('what goes where %s', (_, claim, expected) => {
  expect(removed([container()], [claim])).toEqual(expected)
})

test('of two epochs of one slot on one dock the earlier goes', () => {
  const claim = { hostname: 'dock-1', epoch: 3 }
  expect(removed([container(), container({ id: 'b', epoch: 3 })], [claim, claim])).toEqual(['a replaced'])
})

test('of two containers of one epoch on one dock none goes: which of them somebody counts on is not known', () => {
  const claim = { hostname: 'dock-1', epoch: 2 }
  expect(removed([container(), container({ id: 'b' })], [claim, claim])).toEqual([])
})

test('each container is judged by the claim of its own slot', () => {
  const containers = [container(), container({ id: 'b', slot: 2 }), container({ id: 'c', slot: 3 })]
  expect(removed(containers, [{ hostname: 'dock-1', epoch: 2 }, another, null])).toEqual(['b superseded'])
})

test('nothing goes on a list that is not complete, for labels that somebody has broken, or for want of an answer', () => {
  expect(reconcile({ complete: false, containers: [container()] }, [another], 'dock-1')).toEqual([])
  expect(removed([container({ epoch: NaN })], [another])).toEqual([])
  expect(removed([container()], [])).toEqual([])
})

describe('with the grace', () => {
  const look = (seen: string[], claim: Placement, isComplete = true) => {
    const observed = { complete: isComplete, containers: [container()] }
    const { now, remember } = reconcileGently(observed, [claim], 'dock-1', new Set(seen))
    return { now: now.map(({ remove }) => remove), remember: [...remember] }
  }

  test('what is found superseded goes when it is found so again', () => {
    expect(look([], another)).toEqual({ now: [], remember: ['a'] })
    expect(look(['a'], another)).toEqual({ now: ['a'], remember: ['a'] })
  })

  test('what is not found so again is forgotten', () => {
    expect(look(['a', 'gone'], { hostname: 'dock-1', epoch: 2 })).toEqual({ now: [], remember: [] })
  })

  test('a list that is not complete removes nothing and forgets nothing', () => {
    expect(look(['a'], another, false)).toEqual({ now: [], remember: ['a'] })
  })
})

test.each([
  [{ epoch: 2 }, 'adopt'],
  [{ epoch: 1 }, 'replace'],
  [{ epoch: 3 }, 'stand-back'],
  [{ epoch: NaN }, 'conflict'],
  [{ slot: 2 }, 'conflict'],
  [{ job: 'job-8' }, 'conflict'],
  [{ job: '' }, 'conflict'],
])('a create of epoch 2 that meets %j does: %s', (found, expected) => {
  expect(meet(container(found), container())).toBe(expected)
})
