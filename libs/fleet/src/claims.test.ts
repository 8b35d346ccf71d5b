import { useFleet } from '../../../test/support/fleet-on-redis'
import { times } from './names'

const use = useFleet()
const placements = () => use.fleet().placements
const hostnames = Array.from({ length: 50 }, (_, n) => `dock-${n}`)

test('of many docks that claim a slot at once one gets it, and all learn which', async () => {
  const claims = await Promise.all(hostnames.map((hostname) => placements().claim('job', 1, hostname)))
  expect(new Set(claims.map((claim) => JSON.stringify(claim))).size).toBe(1)
  expect(hostnames).toContain(claims[0]?.hostname)
  expect(claims[0]?.epoch).toBe(1)
})

test('a dock that claims again has its claim as it was', async () => {
  await placements().claim('job', 1, 'dock-1')
  await expect(placements().claim('job', 1, 'dock-1')).resolves.toEqual({ hostname: 'dock-1', epoch: 1 })
})

test('slots are claimed apart', async () => {
  await placements().claim('job', 1, 'dock-1')
  await expect(placements().claim('job', 2, 'dock-2')).resolves.toEqual({ hostname: 'dock-2', epoch: 1 })
  await expect(placements().claim('other', 1, 'dock-3')).resolves.toEqual({ hostname: 'dock-3', epoch: 1 })
})

test('of many docks that take over a dead one’s slot at once one gets it, in the next epoch', async () => {
  const dead = await placements().claim('job', 1, 'dead')
  const claims = await Promise.all(hostnames.map((hostname) => placements().reclaim('job', 1, hostname, dead)))
  expect(new Set(claims.map((claim) => JSON.stringify(claim))).size).toBe(1)
  expect(claims[0]).toEqual({ hostname: claims[0]?.hostname, epoch: 2 })
  await expect(placements().claim('job', 1, 'dead')).resolves.toEqual(claims[0])
})

test('what was seen long ago takes nothing over', async () => {
  const first = await placements().claim('job', 1, 'dock-1')
  const second = await placements().reclaim('job', 1, 'dock-2', first)
  await expect(placements().reclaim('job', 1, 'dock-3', first)).resolves.toEqual(second)
})

test('a claim outlives its job and then goes', async () => {
  await placements().claim('job', 1, 'dock-1')
  const life = await use.redis().pttl(use.fleet().keys.placement('job', 1))
  expect(life).toBeGreaterThan(times.finishedJob)
})

test('claims are read in the order asked for', async () => {
  await placements().claim('a', 1, 'dock-1')
  await placements().claim('b', 2, 'dock-2')
  const slots = [
    { job: 'b', slot: 2 },
    { job: 'none', slot: 1 },
    { job: 'a', slot: 1 },
  ]
  await expect(placements().read(slots)).resolves.toEqual([
    { hostname: 'dock-2', epoch: 1 },
    null,
    { hostname: 'dock-1', epoch: 1 },
  ])
  await expect(placements().read([])).resolves.toEqual([])
})

test('turns go round without a gap, whoever takes them', async () => {
  const counts = Array.from({ length: 40 }, (_, n) => (n % 5) + 1)
  const turns = await Promise.all(counts.map((count) => placements().takeTurn(count)))
  const dealt = turns.flatMap((from, n) => Array.from({ length: counts[n] as number }, (_, k) => from + k))
  expect(dealt.sort((one, other) => one - other)).toEqual(dealt.map((_, n) => n))
})
