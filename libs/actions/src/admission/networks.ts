import { isIP } from 'node:net'
import { preview } from '../explain'
import type { Named } from './mounts'
import { folded, form, from, list, map, object, type Reader, text, unused, whole } from './readers'
import { type At, denied, malformed } from './refusal'
import { gives } from './rules'

const networkName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/** A network of the dock by its name; what it is can only be seen there. */
function checkNetworkName(name: string, at: At): void {
  if (gives(at.rules, 'privileged')) return
  if (!networkName.test(name) || folded(name) === 'host') {
    throw denied(at, 'default, bridge, none or the name of another network', name)
  }
}

export const networkMode: Reader = (value, at) => {
  const mode = text(value, at) as string
  if (mode !== '') checkNetworkName(mode, at)
  return mode === '' ? undefined : mode
}

const ipAddress: Reader = (value, at) => {
  const address = text(value, at) as string
  if (address !== '' && isIP(address) === 0) throw malformed(at, 'an IP address', preview(address))
  return address
}

/** Somebody else's address on the same bridge would be somebody else's traffic. */
export const macAddress = from('baseline', form(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$|^$/i, 'a MAC address'))

const endpoint = object({
  IPAMConfig: object({ IPv4Address: ipAddress, IPv6Address: ipAddress, LinkLocalIPs: list(ipAddress) }),
  Aliases: list(text),
  MacAddress: macAddress,
  GwPriority: whole(),
  Links: from('privileged', list(text)),
  // Of a bridge they may hold sysctls.
  DriverOpts: from('privileged', map(text)),
  // What an inspection tells of an endpoint that is connected, and no create can choose.
  NetworkID: unused,
  EndpointID: unused,
  Gateway: unused,
  IPAddress: unused,
  IPPrefixLen: unused,
  IPv6Gateway: unused,
  GlobalIPv6Address: unused,
  GlobalIPv6PrefixLen: unused,
  DNSNames: unused,
})

export const networkingConfig = object({ EndpointsConfig: map(orEmpty(endpoint), checkNetworkName) })

/** An endpoint without settings is `null` or `{}`. */
function orEmpty(reader: Reader): Reader {
  return (value, at) => (value === null ? {} : reader(value, at))
}

const ports = /^(\d{1,5})(?:-(\d{1,5}))?$/
const maxPort = 65_535

/** The first and last port of a range; undefined where it is none. */
function portRange(range: string): [number, number] | undefined {
  const [, first, last = first] = ports.exec(range) ?? []
  const [low, high] = [Number(first), Number(last)]
  return first !== undefined && low <= high && high <= maxPort ? [low, high] : undefined
}

function checkPort(key: string, at: At): void {
  const [range = '', protocol = 'tcp', ...more] = key.split('/')
  const known = ['tcp', 'udp', 'sctp'].includes(protocol) && more.length === 0
  if (!known || (portRange(range)?.[0] ?? 0) < 1) throw malformed(at, 'a port such as 80/tcp', preview(key))
}

/** Below 1024 the host's own services listen. Empty and 0 let Docker choose. */
const hostPort: Reader = (value, at) => {
  const port = text(value, at) as string
  if (port === '') return port
  const range = portRange(port)
  if (range === undefined) throw malformed(at, 'a port such as "8080", or a range of them', preview(port))
  const chosen = range[0] === 0 && range[1] === 0
  if (!chosen && range[0] < 1024 && !gives(at.rules, 'baseline')) throw denied(at, 'a port from 1024 on', port)
  return port
}

export const portBindings = map(orNone(list(object({ HostIp: ipAddress, HostPort: hostPort }))), checkPort)

function orNone(reader: Reader): Reader {
  return (value, at) => (value === null ? [] : reader(value, at))
}

export const exposedPorts = map(orEmpty(object({})), checkPort)

interface NetworkedBody {
  HostConfig?: { NetworkMode?: string }
  NetworkingConfig?: { EndpointsConfig?: Record<string, unknown> }
}

const known = new Set(['default', 'bridge', 'none', 'host'])

/** The networks that an admitted body names, but for Docker's own. An id of one of those is a name here as well. */
export function networksOf({ HostConfig = {}, NetworkingConfig = {} }: object & NetworkedBody): Named[] {
  const { NetworkMode: mode } = HostConfig
  const ofMode = mode === undefined || mode.includes(':') ? [] : [{ name: mode, path: ['HostConfig', 'NetworkMode'] }]
  const ofEndpoints = Object.keys(NetworkingConfig.EndpointsConfig ?? {}).map((name) => ({
    name,
    path: ['NetworkingConfig', 'EndpointsConfig', name],
  }))
  return [...ofMode, ...ofEndpoints].filter(({ name }) => !known.has(name))
}
