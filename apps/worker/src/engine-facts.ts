import type { EngineFacts } from '@deblox/fleet/docks'
import type Docker from 'dockerode'

/** What the daemon says of itself and its machine. */
export async function readEngineFacts(docker: Docker): Promise<EngineFacts> {
  const [info, version] = (await Promise.all([docker.info(), docker.version()])) as [
    { NCPU: number; MemTotal: number; OperatingSystem: string },
    { Version: string; ApiVersion: string },
  ]
  return {
    engineVersion: version.Version,
    apiVersion: version.ApiVersion,
    os: info.OperatingSystem,
    cpus: info.NCPU,
    memory: info.MemTotal,
  }
}
