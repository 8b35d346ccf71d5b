import type { Claim } from '@deblox/fleet/claim'
import { payloadOf } from '@deblox/fleet/job'
import { recordOn } from '../../../libs/fleet/src/testing/record'
import { type PlaceContext, placeSlot } from './place'

const payload = payloadOf(recordOn('replies'), 1)
const here = { hostname: 'here', epoch: 1 }
const there = { hostname: 'there', epoch: 2 }

/** A double of the fleet: what each look at the claim answers, the last one for ever, and who renews its lease. */
function contextDouble(
  claims: Claim[],
  { leased = () => false, grace = () => 0 }: { leased?: () => boolean; grace?: () => number } = {},
) {
  const asked: string[] = []
  const next = (what: string) => async () => {
    asked.push(what)
    return claims.length > 1 ? claims.shift() : claims[0]
  }
  const fleet = {
    docks: { isLeased: async () => leased() },
    placements: { claim: next('claim'), reclaim: next('reclaim') },
  }
  return { asked, context: { hostname: 'here', fleet, graceMs: grace } as unknown as PlaceContext }
}

test('a slot of this dock is acted on, without a look at who lives', async () => {
  const leased = jest.fn(() => true)
  await expect(placeSlot(payload, contextDouble([here], { leased }).context)).resolves.toEqual({ act: 1 })
  expect(leased).not.toHaveBeenCalled()
})

test('a slot of a living dock is that one’s', async () => {
  const { context } = contextDouble([there], { leased: () => true })
  await expect(placeSlot(payload, context)).resolves.toEqual({ forward: there })
})

test('a slot that has ended is nobody’s', async () => {
  await expect(placeSlot(payload, contextDouble([{ ...there, ended: true }]).context)).resolves.toEqual({ ended: true })
})

test('a slot of a dead dock is taken over', async () => {
  const { asked, context } = contextDouble([there, { hostname: 'here', epoch: 3 }])
  await expect(placeSlot(payload, context)).resolves.toEqual({ act: 3 })
  expect(asked).toEqual(['claim', 'reclaim'])
})

test('a slot that was given up while it was to be taken over is claimed', async () => {
  const { asked, context } = contextDouble([there, { hostname: '', epoch: 2 }, { hostname: 'here', epoch: 3 }])
  await expect(placeSlot(payload, context)).resolves.toEqual({ act: 3 })
  expect(asked).toEqual(['claim', 'reclaim', 'claim'])
})

describe('while nobody can be called dead', () => {
  test('a slot waits until its holder renews', async () => {
    let looks = 0
    const { asked, context } = contextDouble([there], { leased: () => ++looks > 1, grace: () => 60_000 })
    await expect(placeSlot(payload, context)).resolves.toEqual({ forward: there })
    expect(asked).not.toContain('reclaim')
  })

  test('a slot is taken over once that time has passed', async () => {
    let looks = 0
    const { context } = contextDouble([there, there, here], { grace: () => (++looks > 1 ? 0 : 60_000) })
    await expect(placeSlot(payload, context)).resolves.toEqual({ act: 1 })
  })

  test('a job that is stopped waits no longer', async () => {
    const stop = new AbortController()
    const { asked, context } = contextDouble([there], { grace: () => 60_000 })
    const placing = placeSlot(payload, context, stop.signal)
    stop.abort(new Error('the worker stops'))
    await expect(placing).rejects.toThrow('the worker stops')
    expect(asked).toEqual(['claim'])
  })
})
