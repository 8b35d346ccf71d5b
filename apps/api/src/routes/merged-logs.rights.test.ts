import { once } from 'node:events'
import { eventually } from '../../../../test/support/eventually'
import { Listener } from '../../../../test/support/listener'
import { row, useStreamApi } from '../../../../test/support/stream-api'
import { time } from '../../../../test/support/streamed'

const api = useStreamApi()

const owned = (owner: string, more: Parameters<typeof row>[1] = {}) =>
  row('web', { owner, labels: { 'deblox.owner': owner }, ...more })

/** The dock's ends of the calls that are open. */
let tellers: ((line: string) => Promise<void>)[]

beforeEach(() => {
  tellers = []
  api.state.rows = [owned('anna')]
  api.calls.answer = async (call) => {
    await call.begin()
    tellers.push((line) => call.send(1, Buffer.from(`${time(tellers.length)} ${line}\n`)))
    await once(call.signal, 'abort')
    return {}
  }
})

test.each([
  ['followed', 'dock=dock-a&follow=true'],
  ['followed, chosen by what names its owner', 'label=deblox.owner=anna&follow=true'],
  ['read to its end', 'dock=dock-a'],
  ['followed until a time that is over', 'dock=dock-a&follow=true&until=1'],
])('what is somebody else’s from now on is read no more: %s', async (_, query) => {
  const log = await Listener.open(`${api.url()}/v1/logs?${query}`)
  await eventually(() => tellers.length === 1)
  await tellers[0]?.('his')
  await log.sees('web | his\n')
  api.state.rows = [owned('ben')]
  await eventually(() => {
    expect(api.calls.carried.map(({ signal }) => signal.aborted)).toEqual([true])
  })
  log.leave()
})

test('a container that is renamed has its new name from then on', async () => {
  const log = await Listener.open(`${api.url()}/v1/logs?dock=dock-a&follow=true`)
  await eventually(() => tellers.length === 1)
  await tellers[0]?.('before')
  await log.sees('web | before\n')
  api.state.rows = [owned('anna', { name: 'shop' })]
  await eventually(async () => {
    await tellers[0]?.('after')
    expect(log.text).toContain('shop | after\n')
  })
  log.leave()
})
