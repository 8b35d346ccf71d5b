import { FakeDaemon } from '../test/support/fake-daemon'
import { logLoudly } from '../test/support/loud-log'

/** Where the stand-in for a daemon listens, and which container it is that logs. */
export interface Firehose {
  dockerHost: string
  id: string
}

/**
 * A process with a stand-in for a Docker daemon whose one container logs as much as is asked for. Argument: bytes a second. Tells where
 * it listens, and on any message what it has offered so far.
 */
async function main(): Promise<void> {
  const daemon = await FakeDaemon.start()
  const { Id: id } = daemon.add('firehose')
  const flow = logLoudly(daemon, id, Number(process.argv[2]))
  process.on('message', () => process.send?.(flow))
  process.on('disconnect', () => process.exit(0))
  process.send?.({ dockerHost: daemon.dockerHost, id } satisfies Firehose)
}

void main()
