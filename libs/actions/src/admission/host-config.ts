import { capAdd, capDrop, safeCaps } from './capabilities'
import { type Limits, limitFields, mostPids, restartPolicy, underCeilings } from './limits'
import { logConfig } from './log-config'
import { binds, mounts, tmpfs, volumeDriver } from './mounts'
import { networkMode, portBindings } from './networks'
import { flag, form, from, list, map, object, only, orDefault, type Reader, text, unused, whole } from './readers'
import { type At, denied } from './refusal'
import { gives } from './rules'

const noNewPrivileges = /^no-new-privileges(?:[:=]true)?$/

/** What only repeats what Docker does anyway. */
const harmlessSecurity = /^(?:no-new-privileges(?:[:=](?:true|false))?|apparmor[:=]docker-default|seccomp[:=]builtin)$/

const securityOption: Reader = from(
  'privileged',
  text,
  from(
    'baseline',
    form(harmlessSecurity, 'no-new-privileges, apparmor=docker-default or seccomp=builtin', denied),
    form(noNewPrivileges, 'no-new-privileges', denied),
  ),
)

/** Kernel settings that belong to the container's own namespaces and cannot starve the host. */
const safeSysctls: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_syncookies',
]

const sysctls = map(text, (name, at) => {
  if (gives(at.rules, 'privileged') || safeSysctls.includes(name)) return
  throw denied(at, `one of ${safeSysctls.join(', ')}`, name)
})

/** Paths that the engines of all ages hide or protect by themselves; an inspection lists them. */
const protectedByDefault =
  /^\/(?:proc\/(?:asound|acpi|interrupts|kcore|keys|latency_stats|timer_list|timer_stats|sched_debug|scsi|bus|fs|irq|sys|sysrq-trigger)|sys\/firmware|sys\/devices\/virtual\/powercap|sys\/devices\/system\/cpu\/cpu\d+\/thermal_throttle)$/
const leastMasked = ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware']
const leastReadonly = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** The engine's own list is left to the engine. Any other, an empty one above all, would take its place. */
const paths = (least: readonly string[]): Reader =>
  from('privileged', list(text), (value, at) => {
    const given = list(text)(value, at) as string[]
    const isDefault =
      least.every((path) => given.includes(path)) && given.every((path) => protectedByDefault.test(path))
    if (!isDefault) throw denied(at, 'the paths that Docker protects by itself, or no such field', value)
    return undefined
  })

/** Another container's or the host's; the container's own goes without saying. */
const namespace = from('privileged', text)

/** Docker's usual runtime is told by inspections; a dock whose usual one is another keeps its own. */
const runtime = from(
  'privileged',
  text,
  orDefault((value) => value === 'runc', from('privileged', text)),
)

const device = object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text })

const deviceRequest = object({
  Driver: text,
  Count: whole(),
  DeviceIDs: list(text),
  Capabilities: list(list(text)),
  Options: map(text),
})

const fields = object({
  ...limitFields,
  RestartPolicy: restartPolicy,
  AutoRemove: flag,
  Init: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  PortBindings: portBindings,
  NetworkMode: networkMode,
  Dns: list(text),
  DnsOptions: list(text),
  DnsSearch: list(text),
  ExtraHosts: list(text),
  Binds: binds,
  Mounts: mounts,
  Tmpfs: tmpfs,
  VolumeDriver: volumeDriver,
  ShmSize: whole(0),
  LogConfig: logConfig,
  CapAdd: capAdd,
  CapDrop: capDrop,
  SecurityOpt: list(securityOption),
  OomScoreAdj: from('privileged', whole(-1000, 1000), whole(0, 1000, denied)),
  IpcMode: from('privileged', text, only('', 'none', 'private', 'shareable')),
  CgroupnsMode: from('privileged', text, only('', 'private')),
  PidMode: namespace,
  UTSMode: namespace,
  UsernsMode: namespace,
  Cgroup: namespace,
  GroupAdd: from('baseline', list(text)),
  Sysctls: from('baseline', sysctls),
  StorageOpt: from('baseline', storageOptions),
  MaskedPaths: paths(leastMasked),
  ReadonlyPaths: paths(leastReadonly),
  Runtime: runtime,
  Privileged: from('privileged', flag),
  VolumesFrom: from('privileged', list(text)),
  Links: from('privileged', list(text)),
  CgroupParent: from('privileged', text),
  Annotations: from('privileged', map(text)),
  Devices: from('privileged', list(device)),
  DeviceCgroupRules: from('privileged', list(text)),
  DeviceRequests: from('privileged', list(deviceRequest)),
  ConsoleSize: list(whole(0)),
  Isolation: from('privileged', text, only('', 'default')),
  // For Windows, for the engine itself, or of engines long gone.
  CpuCount: unused,
  CpuPercent: unused,
  IOMaximumIOps: unused,
  IOMaximumBandwidth: unused,
  ContainerIDFile: unused,
  Capabilities: unused,
  DiskQuota: unused,
})

function storageOptions(value: unknown, at: At): unknown {
  return map(text, (name, here) => {
    if (name !== 'size' && !gives(at.rules, 'privileged')) throw denied(here, 'size', name)
  })(value, at)
}

interface HostConfig extends Limits {
  CapAdd?: string[]
  CapDrop?: string[]
  PidsLimit?: number
}

/** The host's part of a body, with what these rules force upon it. */
export const hostConfig: Reader = (value, at) => {
  const read = fields(value, at) as HostConfig
  const built = { ...read, ...underCeilings(read, at, true) }
  if (gives(at.rules, 'baseline')) return built
  return {
    ...built,
    ...safeCaps(read, at),
    SecurityOpt: ['no-new-privileges'],
    PidsLimit: read.PidsLimit ?? mostPids,
  }
}
