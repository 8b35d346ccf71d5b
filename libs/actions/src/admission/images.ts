import { image as imageSchema, isImageId } from '../image-reference'
import { type Reader, text } from './readers'
import { type At, denied, malformed } from './refusal'
import { covers, gives, type Rules } from './rules'
import { preview } from '../explain'

const hub = 'docker.io'

/** The registry and path that Docker takes a reference for, without tag and digest: `ubuntu` is `docker.io/library/ubuntu`. */
export function repositoryOf(reference: string): string {
  const plain = reference.replace(/@.*$/, '').replace(/:[^/]*$/, '')
  const slash = plain.indexOf('/')
  const first = plain.slice(0, Math.max(slash, 0))
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  if (!isHost) return slash < 0 ? `${hub}/library/${plain}` : `${hub}/${plain}`
  const host = first.toLowerCase() === `index.${hub}` ? hub : first.toLowerCase()
  const path = plain.slice(slash + 1)
  return host === hub && !path.includes('/') ? `${hub}/library/${path}` : `${host}/${path}`
}

/** An image that may be used. */
export const image: Reader = (value, at) => {
  const reference = text(value, at) as string
  if (imageSchema.validate(reference).error) {
    throw malformed(at, 'an image reference such as ubuntu:24.04, or an image id', preview(reference))
  }
  const { registries } = at.rules
  if (registries !== undefined) checkRegistry(reference, registries, at)
  else if (!gives(at.rules, 'baseline') && !isImageId(reference)) checkHost(reference, at)
  return reference
}

/** Throws `admission_denied` where an image may not be pulled under these rules. */
export function admitImage(reference: string, rules: Rules, field = 'image'): void {
  image(reference, { path: [field], rules })
}

function checkRegistry(reference: string, registries: readonly string[], at: At): void {
  // An id, and what Docker would take for the beginning of one, names whatever image is on the dock.
  const mayBeId = /^(?:sha(?:256|512):)?[0-9a-f]+$/.test(reference)
  const allowed = !mayBeId && registries.some((registry) => covers(registry, repositoryOf(reference)))
  if (!allowed) throw denied(at, `an image by name from ${registries.join(' or ') || 'no registry at all'}`, reference)
}

/** A registry by its address would have the dock itself speak to whatever is there. */
function checkHost(reference: string, at: At): void {
  const [host = ''] = repositoryOf(reference).split('/')
  const name = host.replace(/:\d+$/, '')
  const isName = name.includes('.') && !/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name) && !/(?:^|\.)localhost$/.test(name)
  if (!isName) throw denied(at, 'a registry by its full name', reference)
}
