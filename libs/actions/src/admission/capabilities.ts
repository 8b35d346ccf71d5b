import { preview } from '../explain'
import { list, type Reader, text } from './readers'
import { type At, denied, malformed } from './refusal'
import { gives } from './rules'

/**
 * What a container keeps under `restricted`: enough for images that begin as root, take over their folder, become
 * somebody else and listen on port 80. All of it acts on the container's own files, processes and ports alone.
 */
export const safeCapabilities: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
]

/** What Docker gives a container by itself. */
const dockerCapabilities: readonly string[] = [
  ...safeCapabilities,
  'AUDIT_WRITE',
  'MKNOD',
  'NET_RAW',
  'SETFCAP',
  'SETPCAP',
  'SYS_CHROOT',
]

/** A capability as the kernel names it, without `CAP_`: Docker takes it in either way and in any case. */
const capability: Reader = (value, at) => {
  const name = (text(value, at) as string).toUpperCase().replace(/^CAP_/, '')
  if (!/^(?!CAP_)[A-Z][A-Z0-9_]{2,30}$/.test(name)) throw malformed(at, 'a capability such as CHOWN', preview(value))
  return name
}

const added: Reader = (value, at) => {
  const name = capability(value, at) as string
  const allowed = gives(at.rules, 'baseline') ? dockerCapabilities : safeCapabilities
  if (!gives(at.rules, 'privileged') && !allowed.includes(name)) throw denied(at, `one of ${allowed.join(', ')}`, value)
  return name
}

export const capAdd = list(added)

export const capDrop = list(capability)

interface Capabilities {
  CapAdd?: string[]
  CapDrop?: string[]
}

/** Under `restricted` nothing but what is safe is kept, less what the document itself drops. */
export function safeCaps({ CapAdd = [], CapDrop = [] }: Capabilities, { rules }: At): Capabilities {
  if (gives(rules, 'baseline')) return {}
  const kept = CapDrop.includes('ALL') ? [] : safeCapabilities.filter((name) => !CapDrop.includes(name))
  return { CapDrop: ['ALL'], CapAdd: [...new Set([...kept, ...CapAdd])].sort() }
}
