import { change, decidePlacement, nobody, settle, type SlotState, tell } from './claim'

const here = { hostname: 'here', epoch: 1 }
const there = { hostname: 'there', epoch: 3 }
const fresh: SlotState = { claim: null, ended: false }
const claimed = (claim = here): SlotState => ({ claim, ended: false })

describe('a dock that has taken a slot', () => {
  test.each([
    ['acts under its own claim', here, 'unknown', { do: 'act', to: here }],
    ['hands on what a living dock has', there, 'alive', { do: 'forward', to: there }],
    ['takes over what a dead dock has', there, 'dead', { do: 'reclaim', was: there }],
    ['waits where nobody can be called dead', there, 'unknown', { do: 'wait' }],
    ['claims what nobody has', null, 'dead', { do: 'claim' }],
    ['claims what was given up', { hostname: nobody, epoch: 2 }, 'dead', { do: 'claim' }],
    ['leaves what has ended', { ...here, ended: true }, 'alive', { do: 'end' }],
  ] as const)('%s', (_, claim, holder, decision) => {
    expect(decidePlacement(claim, 'here', holder)).toEqual(decision)
  })
})

describe('a claim', () => {
  test('that was given up is followed by one of the next epoch', () => {
    const released = change(claimed(there), { do: 'release', ...there })
    expect(released.claim).toEqual({ hostname: nobody, epoch: 3 })
    expect(change(released, { do: 'claim', hostname: 'here' }).claim).toEqual({ hostname: 'here', epoch: 4 })
  })

  test('is given up by nobody but its holder', () => {
    expect(change(claimed(), { do: 'release', hostname: 'here', epoch: 2 })).toEqual(claimed())
    expect(change(claimed(), { do: 'release', hostname: 'there', epoch: 1 })).toEqual(claimed())
  })

  test('to a slot that has ended changes no more, but for being taken away', () => {
    const ended: SlotState = { claim: there, ended: true }
    expect(change(ended, { do: 'reclaim', hostname: 'here', was: there })).toEqual(ended)
    expect(change(ended, { do: 'release', ...there })).toEqual(ended)
    expect(change({ ...fresh, ended: true }, { do: 'claim', hostname: 'here' })).toEqual({ ...fresh, ended: true })
    expect(change(ended, { do: 'revoke' }).claim).toEqual({ hostname: nobody, epoch: 3 })
    expect(tell(ended)).toEqual({ ...there, ended: true })
  })
})

describe('an outcome', () => {
  test('is written under the claim that holds, and once', () => {
    const ended = settle(claimed(), here, true)
    expect(ended).toEqual({ claim: here, ended: true })
    expect(settle(ended as SlotState, here, true)).toBeNull()
  })

  test.each([
    ['another dock', { hostname: 'there', epoch: 1 }],
    ['another epoch', { hostname: 'here', epoch: 2 }],
  ])('is refused where the slot is %s’s by now', (_, now) => {
    expect(settle(claimed(now), here, true)).toBeNull()
  })

  test('without a container leaves the claim with nobody', () => {
    expect(settle(claimed(), here, false)).toEqual({ claim: { hostname: nobody, epoch: 1 }, ended: true })
    expect(settle(fresh, null, false)).toEqual({ claim: null, ended: true })
  })
})
