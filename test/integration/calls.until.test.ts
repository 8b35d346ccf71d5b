import { answerersFor } from '../../apps/worker/src/calls/answerers'
import { AnsweringDouble } from '../../apps/worker/src/testing/answering-double'
import { callContextDouble } from '../../apps/worker/src/testing/call-context-double'
import { eventually } from '../support/eventually'
import { sharedEngines } from '../support/shared'

const [engine] = sharedEngines() as [ReturnType<typeof sharedEngines>[0]]
const answerers = answerersFor(callContextDouble(engine.dockerHost).context)

afterEach(() => engine.reset())

async function run(script: string, more: object = {}) {
  const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', script], ...more })
  await container.start()
  return container
}

function logs(id: string, more: object = {}) {
  const params = { id, follow: true, stdout: true, stderr: true, ...more }
  const call = new AnsweringDouble({ kind: 'read-logs', params })
  return { call, ended: answerers.get('read-logs')?.(call) as Promise<unknown> }
}

const now = (laterMs = 0): string => ((Date.now() + laterMs) / 1000).toFixed(3)

async function whole(id: string, until: string): Promise<string> {
  const { call, ended } = logs(id, { follow: false, until })
  await ended
  return call.text(1)
}

test.each([false, true])(
  'a log that goes on is followed until then, and given whole (terminal: %s)',
  async (Tty) => {
    const container = await run('n=0; while :; do n=$((n+1)); echo $n; done', { Tty })
    const until = now(700)
    const { call, ended } = logs(container.id, { until })
    expect(await ended).toEqual({})
    const dropped = call.text(0)
    expect(dropped).toBe('')
    expect(call.text(1) === (await whole(container.id, until))).toBe(true)
    expect(call.text(1)).toMatch(/^\S+ 1\r?\n\S+ 2\r?\n/)
  },
  30_000,
)

test('a log that was written long ago is given whole, also where nothing follows', async () => {
  const container = await run('seq 50000; read x', { OpenStdin: true })
  const isThere = async () => (await whole(container.id, now())).endsWith(' 50000\n')
  await eventually(isThere, undefined, { every: 300, within: 20_000 })
  for (const laterMs of [-400, 0, 100]) {
    const until = now(laterMs)
    const { call, ended } = logs(container.id, { until })
    expect(await ended).toEqual({})
    expect(call.text(1) === (await whole(container.id, until))).toBe(true)
    expect(call.text(1).endsWith(' 50000\n')).toBe(true)
  }
  const past = logs(container.id, { until: now(-600_000) })
  expect(await past.ended).toEqual({})
  expect(past.call.text(1)).toBe('')
}, 60_000)

test('a log over whose end its container is stopped and started is given whole', async () => {
  const container = await run('n=$(cat /n || echo 0); while :; do n=$((n+1)); echo $n; echo $n > /n; done 2>/dev/null')
  const until = now(2_000)
  const { call, ended } = logs(container.id, { until })
  for (let count = 0; count < 4; count++) await container.restart({ t: 0 })
  expect(await ended).toEqual({})
  expect(call.text(1) === (await whole(container.id, until))).toBe(true)
}, 30_000)
