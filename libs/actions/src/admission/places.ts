import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import { dockerStatus } from '../docker-status'
import { type Named, volumesOf } from './mounts'
import { networksOf } from './networks'
import { denied } from './refusal'
import { gives, type Rules } from './rules'

/** What Docker tells of a volume, as far as it matters here. */
export interface InspectedVolume {
  Driver: string
  Options: Record<string, string> | null
}

/** Throws where a volume is more than a plain local one: with options it may be any folder of the host. */
export function checkVolume(inspected: InspectedVolume, { name, path }: Named, rules: Rules): void {
  const { Driver, Options } = inspected
  const plain = Driver === 'local' && Object.keys(Options ?? {}).length === 0
  if (!plain && !gives(rules, 'privileged')) throw denied({ path, rules }, 'a plain local volume', name)
}

/** Throws where a network is the host's own, whatever it is called: its id names it as well. */
export function checkNetwork({ Driver }: { Driver: string }, { name, path }: Named, rules: Rules): void {
  if (Driver !== 'host' || gives(rules, 'privileged')) return
  throw denied({ path, rules }, "a network that is not the host's own", name)
}

/** Looks at what an admitted body names on the dock and cannot be seen from the body. Throws `admission_denied`. */
export async function checkPlaces(
  body: ContainerCreateOptions,
  rules: Rules,
  { docker, signal }: { docker: Docker; signal: AbortSignal },
): Promise<void> {
  if (gives(rules, 'privileged')) return
  await Promise.all([
    ...volumesOf(body).map(async (volume) => {
      const found = await unlessMissing(docker.getVolume(volume.name).inspect({ abortSignal: signal }))
      if (found) checkVolume(found, volume, rules)
    }),
    ...networksOf(body).map(async (network) => {
      // dockerode would put a signal into the query.
      const found = await unlessMissing<{ Driver: string }>(docker.getNetwork(network.name).inspect())
      if (found) checkNetwork(found, network, rules)
    }),
  ])
}

/** A volume that is not there yet will be a plain one; a network that is not there is Docker's to refuse. */
async function unlessMissing<T>(looked: Promise<T>): Promise<T | undefined> {
  try {
    return await looked
  } catch (error) {
    if (dockerStatus(error) === 404) return undefined
    throw error
  }
}
