import { useFleet } from '../../../test/support/fleet-on-redis'
import { fleetKeys } from './names'
import { trustIn } from './signing/trust'
import { templatesOf } from './templates'
import { testKeys } from './testing/keys'

const use = useFleet()
const shipped = new Map([['test', { image: 'busybox' }]])
const templates = () => templatesOf(use.redis(), fleetKeys(use.fleet().prefix), shipped, trustIn(testKeys))

test('a template that was stored is read again as it was', async () => {
  const spec = { image: 'nginx', env: { A: 'größe' }, ports: ['80:80'] }
  await expect(templates().put('web', spec)).resolves.toEqual({ created: true })
  await expect(templates().get('web')).resolves.toEqual({ name: 'web', shipped: false, spec })
})

test('storing it again replaces it whole', async () => {
  await templates().put('web', { image: 'nginx', env: { A: '1' } })
  await expect(templates().put('web', { image: 'httpd' })).resolves.toEqual({ created: false })
  await expect(templates().get('web')).resolves.toMatchObject({ spec: { image: 'httpd' } })
})

test('one that somebody else wrote into Redis, changed or copied is none: what is shipped lies under it', async () => {
  const { templates: hash } = use.fleet().keys
  await templates().put('web', { image: 'nginx' })
  const stored = (await use.redis().hget(hash, 'web')) ?? ''
  await use.redis().hset(hash, { web: stored.replace('nginx', 'evil'), test: stored, new: '{"image":"evil"}' })
  expect(await templates().list()).toEqual([{ name: 'test', shipped: true, spec: { image: 'busybox' } }])
  await expect(templates().get('test')).resolves.toMatchObject({ shipped: true })
  await expect(templates().get('web')).rejects.toMatchObject({ code: 'template_not_found' })
})

test('all are listed by name, shipped ones among them', async () => {
  await templates().put('web', { image: 'nginx' })
  await templates().put('a', { image: 'a' })
  const list = await templates().list()
  expect(list.map(({ name, shipped }) => [name, shipped])).toEqual([
    ['a', false],
    ['test', true],
    ['web', false],
  ])
})

test('a shipped one can be replaced, and is there again when that is deleted, but cannot be deleted itself', async () => {
  await expect(templates().put('test', { image: 'own' })).resolves.toEqual({ created: false })
  await expect(templates().get('test')).resolves.toEqual({ name: 'test', shipped: false, spec: { image: 'own' } })
  await expect(templates().list()).resolves.toHaveLength(1)
  await templates().delete('test')
  await expect(templates().get('test')).resolves.toEqual({ name: 'test', shipped: true, spec: { image: 'busybox' } })
  await expect(templates().delete('test')).rejects.toMatchObject({ code: 'template_shipped', status: 409 })
})

test.each([
  ['get', () => templates().get('none')],
  ['delete', () => templates().delete('none')],
  ['get by a name of every object', () => templates().get('constructor')],
])('%s of a template that is not there says so', async (_, ask) => {
  await expect(ask()).rejects.toMatchObject({ code: 'template_not_found', status: 404 })
})
