import { once } from 'node:events'
import { get, type IncomingMessage, type RequestOptions } from 'node:http'
import { eventually } from '../test/support/eventually'
import type { Setting } from './setting'

/** Bytes a second, one figure for each reading of the whole log. */
export interface Rates {
  fleet: number[]
  direct: number[]
}

const lineBytes = 200

/** Reads the log of a container that has ended, through the fleet and from the daemon by turns. */
export async function measureLogThroughput(
  setting: Setting,
  { bytes, readings }: { bytes: number; readings: number },
): Promise<Rates> {
  const { docker, socket } = setting.engine
  const container = await containerThatLogged(setting, bytes)
  const query = 'stdout=true&stderr=true'
  const fleet = () => rateOf(`${setting.url}/v1/containers/${container.id}/logs?${query}`, bytes)
  // With times, which the fleet always asks for: a daemon takes longer then.
  const direct = () =>
    rateOf({ socketPath: socket, path: `/containers/${container.id}/logs?${query}&timestamps=true` }, bytes)
  await known(setting, container.id)
  const rates: Rates = { fleet: [], direct: [] }
  for (let n = 0; n < readings; n++) {
    rates.direct.push(await direct())
    rates.fleet.push(await fleet())
  }
  await docker.getContainer(container.id).remove({ v: true })
  return rates
}

async function containerThatLogged({ engine: { docker } }: Setting, bytes: number) {
  const line = 'x'.repeat(lineBytes - 1)
  const container = await docker.createContainer({
    Image: 'busybox',
    Cmd: ['sh', '-c', `yes ${line} | head -c ${bytes}`],
    HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: {} } },
  })
  await container.start()
  await container.wait()
  return container
}

const known = ({ url }: Setting, id: string): Promise<number> =>
  eventually(
    () => statusOf(`${url}/v1/containers/${id}`),
    (status) => status === 200,
    { what: 'the fleet knows it' },
  )

async function statusOf(url: string): Promise<number> {
  const answer = await answerOf(url)
  answer.resume()
  return answer.statusCode ?? 0
}

/** How fast an answer comes that holds a log of so many bytes, with or without what else is in it. */
async function rateOf(where: string | RequestOptions, bytes: number): Promise<number> {
  const began = performance.now()
  const answer = await answerOf(where)
  let read = 0
  answer.on('data', (chunk: Buffer) => {
    read += chunk.length
  })
  await once(answer, 'end')
  if (answer.statusCode !== 200 || read < bytes) {
    throw new Error(`expected a log of ${bytes} bytes, got ${answer.statusCode} and ${read}`)
  }
  return (bytes * 1000) / (performance.now() - began)
}

async function answerOf(where: string | RequestOptions): Promise<IncomingMessage> {
  const request = typeof where === 'string' ? get(where, { agent: false }) : get({ ...where, agent: false })
  return ((await once(request, 'response')) as [IncomingMessage])[0]
}
