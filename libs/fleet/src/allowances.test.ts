import { createSecretKey } from 'node:crypto'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { type Allowance, allowancesOf, leastAllowance, rulesOn } from './allowances'

const use = useFleet()
const allowances = () => allowancesOf(use.redis(), use.fleet().keys, createSecretKey(Buffer.alloc(32, 1)))
const wide: Allowance = { rules: { profile: 'privileged' }, quota: { containers: 3 } }

test('what an owner was given is read again; who was given nothing has the least', async () => {
  await allowances().set('anna', wide)
  expect(await allowances().of('anna')).toEqual(wide)
  expect(await allowances().of('ben')).toEqual(leastAllowance)
})

test('what somebody else wrote into Redis, or copied, is not believed', async () => {
  await allowances().set('anna', wide)
  const { allowances: hash } = use.fleet().keys
  const stored = (await use.redis().hget(hash, 'anna')) ?? ''
  await use.redis().hset(hash, { ben: stored, carl: `x.${JSON.stringify(wide)}`, anna: stored.replace('3', '9') })
  for (const owner of ['anna', 'ben', 'carl']) expect(await allowances().of(owner)).toEqual(leastAllowance)
})

test('on docks that are named other rules hold, where the request names one of them', () => {
  const rules = { profile: 'restricted' } as const
  const allowance: Allowance = {
    rules,
    onDocks: [
      { docks: ['dock-1', '*.lab.example.org'], rules: { profile: 'privileged' } },
      { docks: ['*'], rules: { profile: 'baseline' } },
    ],
  }
  const profiles = [undefined, 'dock-1', 'a.lab.example.org', 'dock-2'].map((host) => rulesOn(allowance, host).profile)
  expect(profiles).toEqual(['restricted', 'privileged', 'privileged', 'baseline'])
})
