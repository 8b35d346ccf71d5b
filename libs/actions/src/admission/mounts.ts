import { posix } from 'node:path'
import { preview } from '../explain'
import { labels } from './labels'
import { flag, form, from, list, map, object, oneOf, only, type Reader, text, whole } from './readers'
import { type At, denied, malformed } from './refusal'
import { gives } from './rules'

/** A place inside the container. Over what runc keeps there, a mount would take its protections away. */
export const target: Reader = (value, at) => {
  const path = text(value, at) as string
  if (!path.startsWith('/')) throw malformed(at, 'an absolute path', preview(path))
  const kept = /^\/(?:(?:proc|sys)(?:\/.*)?|dev)?$/.test(posix.normalize(path).replace(/(?!^)\/$/, ''))
  if (kept && !gives(at.rules, 'privileged')) throw denied(at, 'a path outside /proc, /sys, /dev and not /', path)
  return path
}

/** A process that begins in a folder of the kernel's may stand outside the container (CVE-2024-21626). */
export const workingDir: Reader = (value, at) => {
  const path = text(value, at) as string
  const inKernel = /^\/(?:proc|sys)(?:\/|$)/.test(posix.normalize(`/${path}`))
  if (inKernel && !gives(at.rules, 'privileged')) throw denied(at, 'a folder outside /proc and /sys', path)
  return path
}

const volumeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

const bindForm =
  /^(?<source>[a-zA-Z0-9][a-zA-Z0-9_.-]*):(?<target>\/[^:]*)(?::(?:ro|rw|nocopy)(?:,(?:ro|rw|nocopy))*)?$/

/** `name:/path` is a volume that exists or comes to be; all else is a part of the host. */
const volumeBind: Reader = (value, at) => {
  const bind = text(value, at) as string
  const { target: place } = bindForm.exec(bind)?.groups ?? {}
  if (place === undefined) throw denied(at, 'a volume by name such as data:/path', bind)
  target(place, at)
  return bind
}

export const binds = list(from('privileged', text, volumeBind))

const tmpfsOption = /^(?:ro|rw|(?:no)?exec|nosuid|nodev|(?:no)?atime|(?:size|mode|uid|gid|nr_inodes|nr_blocks)=\w+%?)$/

const tmpfsOptions: Reader = (value, at) => {
  const options = text(value, at) as string
  const odd = options.split(',').find((option) => option !== '' && !tmpfsOption.test(option))
  if (odd !== undefined) throw denied(at, 'options of a tmpfs such as size=64m,mode=1777,exec', odd)
  return options
}

const checkTarget = (path: string, at: At): void => void target(path, at)

export const tmpfs = map(from('privileged', text, tmpfsOptions), checkTarget)

/** Anonymous volumes. */
export const volumes = map(object({}), checkTarget)

const driver = from('privileged', text, only('', 'local'))

/** With options even the plain local driver mounts any folder of the host. */
const driverConfig = object({ Name: driver, Options: from('privileged', map(text)) })

const volumeOptions = object({
  NoCopy: flag,
  Labels: labels,
  DriverConfig: driverConfig,
  Subpath: from('privileged', text, form(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))/, 'a path inside the volume', denied)),
})

const bindOptions = object({
  Propagation: text,
  NonRecursive: flag,
  CreateMountpoint: flag,
  ReadOnlyNonRecursive: flag,
  ReadOnlyForceRecursive: flag,
})

const tmpfsSettings = object({
  SizeBytes: whole(0),
  Mode: whole(0, 0o7777),
  Options: from('privileged', list(list(text))),
})

/** A volume by its name, or an anonymous one; `..` or `/` would be a path of the host. */
const volumeSource: Reader = (value, at) => {
  const name = text(value, at) as string
  if (name !== '' && !volumeName.test(name)) throw denied(at, 'the name of a volume', name)
  return name
}

const mountFields = object({
  Type: from('privileged', text, only('volume', 'tmpfs')),
  Source: from('privileged', text, volumeSource),
  Target: target,
  ReadOnly: flag,
  Consistency: oneOf('', 'default', 'consistent', 'cached', 'delegated'),
  BindOptions: from('privileged', bindOptions),
  VolumeOptions: volumeOptions,
  TmpfsOptions: tmpfsSettings,
  ImageOptions: from('privileged', object({ Subpath: text })),
  ClusterOptions: from('privileged', object({})),
})

const mount: Reader = (value, at) => {
  const read = mountFields(value, at) as { Type?: string; Target?: string }
  for (const name of ['Type', 'Target'] as const) {
    if (read[name] === undefined) throw malformed({ ...at, path: [...at.path, name] }, 'a value', 'nothing')
  }
  return read
}

export const mounts = list(mount)

export const volumeDriver = driver

/** A thing of the dock that a body names, and the field that names it. */
export interface Named {
  name: string
  path: readonly (string | number)[]
}

interface MountingBody {
  HostConfig?: { Binds?: string[]; Mounts?: { Type: string; Source?: string }[] }
}

/** The volumes that an admitted body names: what they are can only be seen on the dock. */
export function volumesOf({ HostConfig = {} }: object & MountingBody): Named[] {
  const { Binds = [], Mounts = [] } = HostConfig
  const bound = Binds.flatMap((bind, index) => {
    const name = bindForm.exec(bind)?.groups?.['source']
    return name === undefined ? [] : { name, path: ['HostConfig', 'Binds', index] }
  })
  const mounted = Mounts.flatMap(({ Type, Source }, index) =>
    Type === 'volume' && Source ? { name: Source, path: ['HostConfig', 'Mounts', index, 'Source'] } : [],
  )
  return [...bound, ...mounted]
}
