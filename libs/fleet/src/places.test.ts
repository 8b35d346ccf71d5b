import { useFleet } from '../../../test/support/fleet-on-redis'
import { placesIn } from './places'
import { containerRowOf } from './testing/rows'

const use = useFleet()
const index = () => use.fleet().index
const web = containerRowOf('abcd', { name: 'web', owner: 'anna' })

/** Each place of `web`, and what is held there. */
async function held() {
  const { ofIds, ofName, ofOwner } = placesIn(use.fleet().keys)
  return Promise.all([ofIds(web.id), ofName('web'), ofOwner('anna')].map((key) => use.redis().hgetall(key)))
}

beforeEach(async () => {
  for (const dock of ['dock-1', 'dock-2']) await use.fleet().docks.register(dock)
})

test('a container is in three places, once, however often it is written', async () => {
  for (const status of ['Up 1 minute', 'Up 2 minutes']) {
    await index().write('dock-1', [{ ...web, status }], [])
  }
  expect(await held()).toEqual([{ [web.id]: 'dock-1' }, { [web.id]: 'web dock-1' }, { [web.id]: 'dock-1' }])
})

test('one that two docks have is in each place twice, and stays where one of them loses it', async () => {
  for (const dock of ['dock-1', 'dock-2']) await index().write(dock, [{ ...web, dock }], [])
  expect(await held()).toEqual([
    { [web.id]: 'dock-1\ndock-2' },
    { [web.id]: 'web dock-1\nweb dock-2' },
    { [web.id]: 'dock-1\ndock-2' },
  ])
  await expect(index().rowsOwnedBy('anna')).resolves.toHaveLength(2)
  await index().write('dock-1', [], [web.id])
  expect(await held()).toEqual([{ [web.id]: 'dock-2' }, { [web.id]: 'web dock-2' }, { [web.id]: 'dock-2' }])
})

test('what else is in the same place is not found in its stead', async () => {
  const others = Array.from({ length: 200 }, (_, n) =>
    containerRowOf(`abc${n.toString(16).padStart(5, '0')}`, { name: `web-${n}` }),
  )
  const { ofName } = placesIn(use.fleet().keys)
  const letters = 'abcdefghijklmnopqrstuvwxyz'.split('')
  const words = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => `${a}${b}${c}`)))
  const neighbour = words.find((word) => word !== 'web' && ofName(word) === ofName('web')) as string
  await index().write('dock-1', [web, containerRowOf('ffff', { name: neighbour }), ...others], [])
  await expect(index().locate('abcd')).resolves.toMatchObject({ name: 'web' })
  await expect(index().locate('abc00007')).resolves.toMatchObject({ name: 'web-7' })
  await expect(index().locate('web')).resolves.toMatchObject({ id: web.id })
  await expect(index().locate(neighbour)).resolves.toMatchObject({ name: neighbour })
})

test('where somebody wrote what is no place, nothing is found, and what is written there is', async () => {
  const { ofIds, ofName } = placesIn(use.fleet().keys)
  await use.redis().hset(ofIds(web.id), web.id, '\n\n dock-9', 'x', '')
  await use.redis().hset(ofName('web'), 'x', 'web', 'y', 'web ')
  await expect(index().locate('web')).rejects.toMatchObject({ code: 'container_not_found' })
  await index().write('dock-1', [web], [])
  for (const reference of ['web', 'abcd']) {
    await expect(index().locate(reference)).resolves.toMatchObject({ dock: 'dock-1' })
  }
})
