import { createSecretKey } from 'node:crypto'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { grantsOf } from './grants'

const use = useFleet()
const key = createSecretKey(Buffer.alloc(32, 1))
const grants = () => grantsOf(use.redis(), use.fleet().keys, key)
const toBen = {
  to: 'ben',
  may: ['restart-container' as const],
  on: { docks: ['dock-1'] },
  by: 'anna',
}

test('a grant that was given is listed, found, and taken back', async () => {
  const given = await grants().add(toBen)
  expect(given).toMatchObject(toBen)
  expect(await grants().list()).toEqual([given])
  expect(await grants().get(given.id)).toEqual(given)
  await grants().remove(given.id)
  expect(await grants().list()).toEqual([])
  await expect(grants().get(given.id)).rejects.toMatchObject({ code: 'grant_not_found' })
})

test('another replica goes by it, and no longer by one that was taken back, within five seconds', async () => {
  const [here, elsewhere] = [grants(), grants()]
  expect(await elsewhere.all()).toEqual([])
  const given = await here.add(toBen)
  await eventually(
    () => elsewhere.all(),
    (all) => all.length === 1,
    { within: 5_000, every: 50 },
  )
  await here.remove(given.id)
  expect(await here.all()).toEqual([])
  await eventually(
    () => elsewhere.all(),
    (all) => all.length === 0,
    { within: 5_000, every: 50 },
  )
})

test('one that somebody else wrote into Redis, changed or copied is none', async () => {
  const { id } = await grants().add(toBen)
  const { grants: hash } = use.fleet().keys
  const stored = (await use.redis().hget(hash, id)) ?? ''
  await use.redis().hset(hash, {
    [id]: stored.replace('restart-container', 'delete-container'),
    copied: stored,
    forged: `x.${JSON.stringify({ id: 'forged', ...toBen, at: '' })}`,
  })
  expect(await grants().list()).toEqual([])
  await expect(grants().get('forged')).rejects.toMatchObject({ code: 'grant_not_found' })
})
