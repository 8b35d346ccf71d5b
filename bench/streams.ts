import { measureEcho } from './echo'
import { call } from './http'
import { measureLogThroughput, type Rates } from './log-throughput'
import { describeMachine, load } from './machine'
import { say } from './say'
import { type Setting, startSetting } from './setting'
import { measureSlowReader, type BesideSlowReader } from './slow-reader'
import { streamsReport } from './streams-report'
import { noTimes, rounds, timeOf, type Times } from './times'

export interface StreamFigures {
  inspect: Times
  echo: Times
  slowReader: BesideSlowReader
  logs: Rates
  logBytes: number
}

/** How long each measurement lasts. */
const full = { inspectMs: 8_000, echoMs: 12_000, slowMs: 60_000, logs: { bytes: 200_000_000, readings: 2 } }
const quick: typeof full = {
  inspectMs: 2_000,
  echoMs: 2_000,
  slowMs: 9_000,
  logs: { bytes: 10_000_000, readings: 1 },
}

/** What calls cost beside the same asked of the daemon directly, as Markdown. */
export async function measureStreams(isQuick: boolean): Promise<string> {
  const plan = isQuick ? quick : full
  const loadBefore = load()
  say('starting an engine, Redis, an API and a worker')
  const setting = await startSetting()
  const machine = await describeMachine(setting)
  const created = await call(`${setting.url}/v1/containers`, 'POST', { image: 'busybox', network: 'none' })
  const { id } = (created as { containers: [{ id: string }] }).containers[0]
  await call(`${setting.url}/v1/containers/${id}/start`, 'POST')
  say('(a) inspect')
  const inspect = await measureInspect(setting, id, plan.inspectMs)
  say('(b) keys struck on a terminal')
  const echo = await measureEcho(setting, id, plan.echoMs)
  say('(c) a slow reader of a fast log')
  const slowReader = await measureSlowReader(setting, id, plan.slowMs)
  say('(d) a log that has ended')
  const logs = await measureLogThroughput(setting, plan.logs)
  await Promise.all([setting.worker.stop(), setting.api.stop()])
  const noise = `Load average of the machine before the run: ${loadBefore}.`
  const figures = { inspect, echo, slowReader, logs, logBytes: plan.logs.bytes }
  return `${machine} ${noise}\n\n${streamsReport(figures)}`
}

async function measureInspect({ engine, url }: Setting, id: string, forMs: number): Promise<Times> {
  const direct = () => engine.docker.getContainer(id).inspect()
  const fleet = () => call(`${url}/v1/containers/${id}`, 'GET')
  const round = async (times: Times): Promise<void> => {
    times.direct.push(await timeOf(direct))
    times.fleet.push(await timeOf(fleet))
  }
  const [warmUp, times] = [noTimes(), noTimes()]
  await rounds(forMs / 10, () => round(warmUp))
  await rounds(forMs, () => round(times))
  return times
}
