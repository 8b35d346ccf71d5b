import fc from 'fast-check'
import type { Dock, DockState } from './docks'
import { deal, readyDocks } from './placement'

const docksOf = (count: number) => Array.from({ length: count }, (_, n) => `dock-${n}`)

describe('deal', () => {
  test('deals nine slots over three docks as three each', () => {
    expect(deal(9, docksOf(3), 0).sort().join(' ')).toBe(
      'dock-0 dock-0 dock-0 dock-1 dock-1 dock-1 dock-2 dock-2 dock-2',
    )
  })

  test('deals nothing where there is no dock', () => {
    expect(deal(3, [], 7)).toEqual([])
  })

  test('gives every dock as many as any other, or one more', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 12 }), fc.nat(), (count, docks, dealt) => {
        const dealtTo = deal(count, docksOf(docks), dealt)
        const shares = docksOf(docks).map((dock) => dealtTo.filter((other) => other === dock).length)
        expect(dealtTo).toHaveLength(count)
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('goes on where the deal before it stopped, so that many small deals are as fair as a large one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 9 }),
        (counts, n) => {
          let dealt = 0
          const small = counts.flatMap((count) => {
            const cards = deal(count, docksOf(n), dealt)
            dealt += count
            return cards
          })
          expect(small).toEqual(deal(dealt, docksOf(n), 0))
        },
      ),
    )
  })
})

test('only docks that are ready are given new containers', () => {
  const states: DockState[] = ['ready', 'unreachable', 'daemon-unhealthy', 'drained', 'ready']
  const docks = states.map((state, n) => ({ hostname: `dock-${n}`, state }) as Dock)
  expect(readyDocks(docks)).toEqual(['dock-0', 'dock-4'])
})
