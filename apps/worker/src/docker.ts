import { request as httpRequest, type RequestOptions } from 'node:http'
import { DebloxError } from '@deblox/actions/errors'
import Docker from 'dockerode'
import { withDeadline } from '@deblox/actions/deadline'
import { type Answered, ask, type Dialled } from './daemon-request'

/** How long the daemon may take to answer a ping before it counts as hung, in milliseconds. */
const pingMs = 2_000

// docker-modem follows redirects over TCP to wherever a path leads, and falls over those that it does not understand.
// oxlint-disable-next-line typescript/no-require-imports -- the module has no types
;(require('docker-modem/lib/http') as { http: { request: typeof httpRequest } }).http.request = httpRequest

/**
 * The only door to the daemon. `mayWrite` is asked before every request that can change something, so that a worker
 * whose lease has ended acts no more, whatever job it is in the middle of.
 */
export function openDocker(dockerHost: string, mayWrite: () => boolean): Docker {
  const docker = new Docker({ socketPath: dockerHost.replace(/^unix:\/\//, '') })
  const modem = docker.modem
  const dial = modem.dial.bind(modem)
  modem.dial = (options, callback) => {
    const writes = options.method !== 'GET' && options.method !== 'HEAD'
    if (writes && !mayWrite()) callback?.(leaseLost(), null)
    else dial(options, callback)
  }
  takeOver(modem)
  return docker
}

type BuildRequest = (
  options: RequestOptions,
  dialled: Dialled & { hijack?: boolean },
  data: unknown,
  answered: Answered,
) => void

/** Requests go out by `ask`, but for those that become a connection of their own, or whose body is a stream. */
function takeOver(modem: Docker['modem']): void {
  const inside = modem as unknown as { buildRequest: BuildRequest }
  const build = inside.buildRequest.bind(modem)
  inside.buildRequest = (options, dialled, data, answered) => {
    if (dialled.hijack || !(data === undefined || typeof data === 'string')) build(options, dialled, data, answered)
    else ask(options, dialled, data, answered)
  }
}

/** Why the daemon cannot be used now, or undefined where it answers in time. */
export async function troubleOf(docker: Docker): Promise<unknown> {
  // Its types know no options. Without the signal every ping of a hung daemon would leave a connection behind.
  const pinged = docker as unknown as { ping(options: { abortSignal: AbortSignal }): Promise<unknown> }
  return whyNot((abortSignal) => pinged.ping({ abortSignal }))
}

/** The same of real work: a daemon can answer pings while what keeps its containers hangs. */
export async function troubleAtWork(docker: Docker): Promise<unknown> {
  return (await troubleOf(docker)) ?? whyNot((abortSignal) => docker.listContainers({ limit: 1, abortSignal }))
}

async function whyNot(call: (abortSignal: AbortSignal) => Promise<unknown>): Promise<unknown> {
  try {
    await withDeadline(pingMs, new AbortController().signal, call)
    return undefined
  } catch (error) {
    return error
  }
}

export const leaseLost = (): DebloxError =>
  new DebloxError('lease_lost', 'expected to hold the lease of this dock; it has run out, so nothing is changed here')
