import { form, map, object, only, type Reader, text } from './readers'
import { denied } from './refusal'
import { gives } from './rules'

/** Drivers that keep logs on the dock. Any other has the daemon itself speak to an address of the caller's choice. */
const local = ['', 'json-file', 'local', 'none'] as const

const driver: Reader = (value, at) => {
  if (gives(at.rules, 'privileged')) return text(value, at)
  return only(...local, ...(gives(at.rules, 'baseline') ? ['journald'] : []))(value, at)
}

const sizes: readonly string[] = ['max-size', 'max-file', 'compress', 'mode', 'max-buffer-size']

/** What the driver adds to each line: it fills the host's disk, and looks into labels and environment. */
const additions: readonly string[] = ['labels', 'labels-regex', 'env', 'env-regex', 'tag']

const option: Reader = (value, at) =>
  gives(at.rules, 'baseline')
    ? text(value, at)
    : form(/^[\w.-]{0,32}$/, 'a size, a number or a word', denied)(value, at)

const options = map(option, (name, at) => {
  const allowed = gives(at.rules, 'baseline') ? [...sizes, ...additions] : sizes
  if (!gives(at.rules, 'privileged') && !allowed.includes(name)) throw denied(at, `one of ${allowed.join(', ')}`, name)
})

export const logConfig = object({ Type: driver, Config: options })
