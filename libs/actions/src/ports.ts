import { isIP } from 'node:net'
import Joi from 'joi'
import { expected } from './messages'

/** One published port, as Docker's create takes it. */
interface PublishedPort {
  /** Such as `80/tcp`. */
  key: string
  /** An empty `HostPort` lets Docker choose a free one. */
  binding: { HostIp: string; HostPort: string }
}

const form = 'a port as docker run -p takes it, such as 8080:80, 127.0.0.1:8080:80/tcp or 80'

const pattern =
  /^(?:(?:(?<ipv4>[\d.]{7,15})|\[(?<ipv6>[0-9a-f:.]{2,45})\]):(?=.*:))?(?:(?<host>\d{0,5}):)?(?<container>\d{1,5})(?:\/(?<protocol>tcp|udp|sctp))?$/i

const port = Joi.string()
  .max(64)
  .custom((value: string, helpers) => (parsePort(value) ? value : helpers.error('any.custom')))
  .messages(expected(form))

/** Published ports. Ranges are not taken: one entry is one port. */
export const ports = Joi.array()
  .items(port)
  .max(1000)
  .messages(expected(`a list of at most 1000, each ${form}`))
  .description('Ports as `docker run -p` takes them, e.g. `8080:80`')

/** The part of Docker's create that publishes these ports, each of which has been validated. */
export function publish(texts: readonly string[]): {
  exposed: Record<string, object>
  bindings: Record<string, PublishedPort['binding'][]>
} {
  const exposed: Record<string, object> = {}
  const bindings: Record<string, PublishedPort['binding'][]> = {}
  for (const { key, binding } of texts.flatMap((text) => parsePort(text) ?? [])) {
    exposed[key] = {}
    ;(bindings[key] ??= []).push(binding)
  }
  return { exposed, bindings }
}

function parsePort(text: string): PublishedPort | undefined {
  const { ipv4 = '', ipv6 = '', host = '', container, protocol = 'tcp' } = pattern.exec(text)?.groups ?? {}
  const valid =
    (ipv4 === '' || isIP(ipv4) === 4) &&
    (ipv6 === '' || isIP(ipv6) === 6) &&
    Number(host) <= maxPort &&
    Number(container) >= 1 &&
    Number(container) <= maxPort
  if (!valid) return undefined
  const key = `${Number(container)}/${protocol.toLowerCase()}`
  return { key, binding: { HostIp: ipv4 || ipv6, HostPort: host === '' ? '' : String(Number(host)) } }
}

const maxPort = 65_535
