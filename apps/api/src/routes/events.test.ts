import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../../../../test/support/eventually'
import { fullIdOf, rowOf } from '../../../../test/support/fleet-copies'
import { type EventReader, useReplicas } from '../../../../test/support/live-replicas'

const { docksWith, fleet, listen, people, replica, tellJob, untilAllIsTold, write } = useReplicas()

test('containers, docks and jobs are told of as it happens', async () => {
  await docksWith(0, 'dock-1')
  const { url } = await replica()
  const reader = await listen(url)
  await write('dock-1', 1)
  await write('dock-1', 1, { state: 'exited' })
  await fleet().index.write('dock-1', [], [fullIdOf(1)])
  await fleet().docks.patch('dock-1', { drain: true })
  await tellJob('started', { action: 'stop-container', actor: 'anna', owner: 'anna', slot: 1, data: {} })
  await fleet().docks.unregister('dock-1')
  await untilAllIsTold(reader)
  expect(reader.told).toEqual([
    `container.changed ${fullIdOf(1)}`,
    `container.changed ${fullIdOf(1)}`,
    `container.gone ${fullIdOf(1)}`,
    'dock.changed dock-1',
    'job.started job-1',
    'dock.gone dock-1',
    'dock.changed last',
  ])
  const [first, second, gone, dock, job] = reader.heard
  expect(first?.data).toEqual({
    at: expect.stringMatching(/^20\d\d-.*Z$/),
    kind: 'container',
    id: fullIdOf(1),
    dock: 'dock-1',
    row: rowOf('dock-1', 1),
  })
  expect([second?.data.row?.['state'], gone?.data.row?.['state']]).toEqual(['exited', 'exited'])
  expect(dock?.data.row).toMatchObject({ hostname: 'dock-1', drain: true })
  expect(job?.data).toMatchObject({ kind: 'job', dock: 'dock-1', row: { slot: 1 } })
})

test('what nobody asked for is left out', async () => {
  await docksWith(0, 'dock-1', 'dock-2')
  const { url } = await replica()
  const queries = [
    '?kind=container&kind=job',
    '?dock=dock-2&dock=last',
    '?owner=ben',
    '?label=tier=front&label=x',
    '?kind=dock',
  ]
  const readers = await Promise.all(queries.map((query) => listen(url, { query })))
  await write('dock-1', 1)
  await write('dock-2', 2, { owner: 'ben', labels: { tier: 'front' } })
  await write('dock-1', 3, { labels: { tier: 'front', x: '' } })
  await tellJob('accepted', { actor: 'ben', owner: 'ben' })
  await tellJob('accepted', { actor: 'ben', owner: 'anna' }, 'job-2')
  await fleet().docks.register('last')
  const [one, two, three] = [1, 2, 3].map((n) => `container.changed ${fullIdOf(n)}`)
  await eventually(() => {
    expect(readers.map(({ told }) => told)).toEqual([
      [one, two, three, 'job.accepted job-1', 'job.accepted job-2'],
      [two, 'dock.changed last'],
      [two, 'job.accepted job-1'],
      [three],
      ['dock.changed last'],
    ])
  })
})

describe('nobody hears of what is not his', () => {
  test('neither of containers nor of jobs, whether he is there or comes back', async () => {
    await docksWith(0, 'dock-1')
    const { url, copy } = await replica()
    const from = copy.last
    people().grants = [{ id: 'g', to: 'ben', may: [], on: { labels: { tier: 'front' } }, by: 'root', at: '' }]
    people().add('carl', 'viewer', ['crew'])
    const names = ['anna', 'ben', 'carl', 'root']
    const readers = await Promise.all(names.map((who) => listen(url, { who })))
    await write('dock-1', 1, { owner: 'anna' })
    await write('dock-1', 2, { owner: 'zoe', labels: { tier: 'front' } })
    await write('dock-1', 3, { owner: 'team:crew' })
    await write('dock-1', 4, { owner: null })
    await fleet().index.write('dock-1', [], [fullIdOf(1), fullIdOf(4)])
    await tellJob('accepted', { actor: 'anna', owner: 'zoe' }, 'a')
    await tellJob('accepted', { actor: 'zoe', owner: 'team:crew' }, 'c')
    await tellJob('accepted', { owner: 'anna' }, 'odd')
    await tellJob('id: 1-1\n\nevent: x', { actor: 'anna', owner: 'anna' }, 'injected')
    await untilAllIsTold(...readers)
    const short = (reader: EventReader) =>
      reader.told.slice(0, -1).map((line) => line.replace(/ 0+(\d)0*$/, ' $1').replace('container.', ''))
    expect(readers.map(short)).toEqual([
      ['changed 1', 'gone 1', 'job.accepted a'],
      ['changed 2'],
      ['changed 3', 'job.accepted c'],
      ['changed 1', 'changed 2', 'changed 3', 'changed 4', 'gone 1', 'gone 4', 'job.accepted a', 'job.accepted c'],
    ])
    const again = await Promise.all(names.map((who) => listen(url, { who, lastId: from })))
    await eventually(() => expect(again.map(({ heard }) => heard)).toEqual(readers.map(({ heard }) => heard)))
  })

  test('of a container that changes hands each hears what it was to him', async () => {
    await docksWith(0, 'dock-1')
    const { url } = await replica()
    const [anna, ben] = [await listen(url, { who: 'anna' }), await listen(url, { who: 'ben' })]
    await write('dock-1', 1, { owner: 'anna', state: 'before' })
    await write('dock-1', 1, { owner: 'ben', state: 'after' })
    await write('dock-1', 1, { owner: 'ben', state: 'later' })
    await untilAllIsTold(anna, ben)
    const states = (reader: EventReader) =>
      reader.heard.slice(0, -1).map(({ event, data }) => `${event} ${String(data.row?.['state'])}`)
    expect(states(ben)).toEqual(['container.changed after', 'container.changed later'])
    expect(states(anna)).toEqual(['container.changed before', 'container.gone before'])
  })

  test('of a row that was too long for the stream those hear to whom it is shown, and of its end only those who see all', async () => {
    await docksWith(0, 'dock-1')
    const { url } = await replica()
    const [anna, ben, root] = [await listen(url, { who: 'anna' }), await listen(url, { who: 'ben' }), await listen(url)]
    const labels = { long: 'x'.repeat(20_000) }
    await write('dock-1', 1, { owner: 'anna', labels })
    await untilAllIsTold(anna, ben, root)
    await fleet().index.write('dock-1', [], [fullIdOf(1)])
    await eventually(() => expect(root.heard).toHaveLength(3))
    expect([anna.heard.length, ben.heard.length]).toEqual([2, 1])
    expect(anna.heard[0]?.data.row?.['labels']).toEqual(labels)
    expect(root.heard[2]).toMatchObject({ event: 'container.gone', data: { row: null } })
  })

  test('from when a grant is taken back, a token revoked, or a role is another one', async () => {
    await docksWith(0, 'dock-1')
    const { url } = await replica()
    people().grants = [{ id: 'g', to: 'ben', may: [], on: { owner: 'anna' }, by: 'root', at: '' }]
    const [anna, ben] = [await listen(url, { who: 'anna' }), await listen(url, { who: 'ben' })]
    await write('dock-1', 1)
    await eventually(() => expect([anna.heard.length, ben.heard.length]).toEqual([1, 1]))
    people().grants = []
    people().identities.delete('anna')
    await eventually(() => anna.isOver)
    expect(anna.heard.slice(1)).toMatchObject([{ event: 'error', data: { code: 'unauthenticated', status: 401 } }])
    // Looked at at least once more since then.
    await pause(100)
    await write('dock-1', 2)
    await untilAllIsTold(ben)
    expect(ben.heard).toHaveLength(2)
    people().add('ben', 'auditor')
    await eventually(() => ben.isOver)
    expect(ben.heard.at(-1)).toMatchObject({ event: 'error', data: { code: 'forbidden' } })
  })
})
