import type { ContainerCreateOptions } from 'dockerode'
import { hostConfig } from './host-config'
import { image } from './images'
import { labels } from './labels'
import { volumes, workingDir } from './mounts'
import { exposedPorts, macAddress, networkingConfig } from './networks'
import { flag, list, object, type Reader, text, whole } from './readers'
import { malformed } from './refusal'
import type { Rules } from './rules'

/** A command: Docker takes one string for a list of one. */
const words: Reader = (value, at) => (typeof value === 'string' ? text(value, at) : list(text)(value, at))

const healthcheck = object({
  Test: list(text),
  Interval: whole(0),
  Timeout: whole(0),
  Retries: whole(0),
  StartPeriod: whole(0),
  StartInterval: whole(0),
})

const document = object({
  Image: image,
  Cmd: words,
  Entrypoint: words,
  Env: list(text),
  Labels: labels,
  Hostname: text,
  Domainname: text,
  User: text,
  WorkingDir: workingDir,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ArgsEscaped: flag,
  NetworkDisabled: flag,
  MacAddress: macAddress,
  ExposedPorts: exposedPorts,
  Volumes: volumes,
  Healthcheck: healthcheck,
  OnBuild: list(text),
  Shell: list(text),
  StopSignal: text,
  StopTimeout: whole(-1),
  HostConfig: hostConfig,
  NetworkingConfig: networkingConfig,
})

/**
 * The body of Docker's create that a document asks for, built field by field: what is not known here does not reach
 * Docker. Throws `admission_denied` (or `dock_policy`, where the dock's own file made the rules so strict) for what
 * the profile forbids, and `invalid_request` for what no profile allows: an unknown field, another spelling of a
 * field, a value of another type, a label of Deblox's own. Both carry `details.field`.
 */
export function admit(given: unknown, rules: Rules): ContainerCreateOptions {
  const at = { path: [], rules }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw malformed(at, 'an object', Array.isArray(given) ? 'a list' : String(given))
  }
  // What the rules force upon a container is forced also where the document says nothing of the host.
  const forced = rules.profile === 'restricted' || rules.memory !== undefined || rules.cpus !== undefined
  const { HostConfig } = given as { HostConfig?: unknown }
  return document(
    forced && (HostConfig ?? null) === null ? { ...given, HostConfig: {} } : given,
    at,
  ) as ContainerCreateOptions
}
