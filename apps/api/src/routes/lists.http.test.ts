import { eventually } from '../../../../test/support/eventually'
import { fullIdOf, type ListPage } from '../../../../test/support/fleet-copies'
import { useReplicas } from '../../../../test/support/live-replicas'

const { docksWith, fleet, people, replica, use, write } = useReplicas()

async function ask(url: string, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${path}`, { headers })
  const text = await response.text()
  return {
    status: response.status,
    etag: response.headers.get('etag') ?? '',
    body: JSON.parse(text || 'null') as ListPage,
  }
}

test('a list that is as it was need not be sent again, and one that is not is', async () => {
  await docksWith(3, 'dock-1')
  const { url } = await replica()
  const path = '/v1/containers?limit=2'
  const first = await ask(url, path)
  for (const known of [`W/${first.etag}`, `"a", ${first.etag}`, '*']) {
    expect((await ask(url, path, { 'if-none-match': known })).status).toBe(304)
  }
  expect((await ask(url, path, { 'if-none-match': '"a"' })).status).toBe(200)
  expect(first).toMatchObject({ status: 200, etag: expect.stringMatching(/^(W\/)?".+"$/) })
  const again = { 'if-none-match': first.etag }
  expect(await ask(url, path, again)).toMatchObject({ status: 304, body: null })
  // Elsewhere it is the same, and to others it is not.
  expect((await ask((await replica()).url, path, again)).status).toBe(304)
  expect((await ask(url, path, { ...again, 'x-who': 'ben' })).status).toBe(200)
  await write('dock-1', 3, { state: 'exited' })
  expect((await ask(url, path, again)).status).toBe(304)
  await write('dock-1', 1, { state: 'exited' })
  expect(await ask(url, path, again)).toMatchObject({ status: 200, body: { items: [{ state: 'exited' }, {}] } })
  await fleet().docks.acquireLease('dock-1', 'me')
  expect((await ask(url, path, again)).status).toBe(200)
})

test('what a query says several times is meant several times', async () => {
  await docksWith(1, 'dock-1', 'dock-2', 'dock-3')
  const { url } = await replica()
  const docksOf = async (query: string) =>
    (await ask(url, `/v1/containers?${query}`)).body.items.map(({ dock }) => dock)
  expect(await docksOf('dock=dock-3&dock=dock-1')).toEqual(['dock-1', 'dock-3'])
  expect(await docksOf('label=a&label=b')).toEqual([])
  expect(await docksOf('state=running&owner=anna&sort=-dock')).toEqual(['dock-3', 'dock-2', 'dock-1'])
})

test.each([
  ['sort=labels', 'sort'],
  ['facets=dock,', 'facets'],
  ['facets=dock&facets=state', 'facets'],
  ['fields=id,password', 'fields'],
  ['health=ill', 'health'],
  ['dock=', 'dock'],
  ['label=', 'label'],
  ['limit=0', 'limit'],
  ['cursor=x', 'cursor'],
  ['nonsense=1', 'nonsense'],
  ['name=a&name=b', 'name'],
])('%s is refused with what was expected', async (query, field) => {
  const { url } = await replica()
  const { status, body } = await ask(url, `/v1/containers?${query}`)
  expect({ status, body }).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  expect((body as unknown as { detail: string }).detail).toMatch(new RegExp(`^${field}.*expected .+ got `))
})

test('who may not see what belongs to nobody is refused', async () => {
  people().add('dora', 'deployer')
  const { url } = await replica()
  for (const what of ['images', 'volumes', 'networks']) {
    expect((await ask(url, `/v1/${what}`, { 'x-who': 'anna' })).status).toBe(403)
    expect((await ask(url, `/v1/${what}`, { 'x-who': 'dora' })).status).toBe(200)
  }
})

test('a row that a hostile dock has made very long can be paged past', async () => {
  await docksWith(0, 'dock-1')
  const { url } = await replica()
  for (const n of [1, 2, 3])
    await write('dock-1', n, { name: `${n}${'x'.repeat(100_000)}`, image: `${n}${'y'.repeat(100_000)}` })
  for (const sort of ['dock', 'image', '-name']) {
    const ids: string[] = []
    let cursor = ''
    await eventually(async () => {
      const { body } = await ask(url, `/v1/containers?limit=1&sort=${sort}${cursor}`)
      ids.push(...body.items.map(({ id }) => id))
      cursor = `&cursor=${body.nextCursor}`
      return body.nextCursor === null
    })
    expect(ids.sort()).toEqual([1, 2, 3].map(fullIdOf))
  }
  expect(use.redis().status).toBe('ready')
})
