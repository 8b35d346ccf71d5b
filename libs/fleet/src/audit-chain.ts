import { createHmac, type KeyObject } from 'node:crypto'

/** What was decided about one request. All but `decision` and `permission` may be unknown. */
export interface Decision {
  /** The subject; null where nobody could be told. */
  who: string | null
  /** How he was told: `token`, `jwt`, `session` … */
  via: string | null
  tokenId?: string
  role: string | null
  /** What he wanted: an action's name, or a route as `GET /v1/audit`. */
  permission: string
  /** What it was about: the id of a container, of a token, the name of a template … */
  object: string | null
  dock: string | null
  job: string | null
  /** From where the request came. */
  address: string | null
  requestId: string | null
  decision: 'allow' | 'deny'
  /** The HTTP status that it was answered with, where it was answered. */
  status: number | null
  /** Why not, by the table of errors. */
  code?: string
  /** The same in words, where a code does not say it. */
  reason?: string
}

/** As it is kept: with its time, ISO 8601. */
export interface AuditEntry extends Decision {
  at: string
}

/** One entry with what ties it to the one before it. `text` is the exact JSON text that the hash is over. */
export interface AuditLine {
  text: string
  /** The hash of the entry before; empty for the very first. */
  prev: string
  /** HMAC-SHA256 over `prev` and `text`, in base64url. */
  hash: string
}

/** Before the very first entry. */
export const beginning = ''

export const chainHash = (key: KeyObject, prev: string, text: string): string =>
  createHmac('sha256', key).update(prev).update(text).digest('base64url')

/** Entries one after another, from the hash that the chain ends with now. */
export function chain(key: KeyObject, head: string, texts: readonly string[]): AuditLine[] {
  let prev = head
  return texts.map((text) => {
    const line = { text, prev, hash: chainHash(key, prev, text) }
    prev = line.hash
    return line
  })
}

/** One line of NDJSON: the entry's own fields, byte for byte, and behind them `prev` and `hash`. */
export const writeLine = ({ text, prev, hash }: AuditLine): string =>
  `${text.slice(0, -1)},"prev":"${prev}","hash":"${hash}"}\n`

const lineEnd = /,"prev":"([\w-]*)","hash":"([\w-]+)"\}\s*$/

/** Parts what `writeLine` wrote; null where it is something else. */
export function readLine(line: string): AuditLine | null {
  const [end, prev = '', hash = ''] = lineEnd.exec(line) ?? []
  return end === undefined ? null : { text: `${line.slice(0, -end.length)}}`, prev, hash }
}

/** Where a chain begins whose first entries were removed by number. */
export interface Checkpoint {
  /** The hash of the last one removed. */
  hash: string
  /** How many were removed. */
  count: number
}

// No hash and no entry begins like this, so that nothing signed as the one can pass for the other.
const checkpointText = ({ hash, count }: Checkpoint): string => `checkpoint:${count}:${hash}`

export const signCheckpoint = (key: KeyObject, checkpoint: Checkpoint): string =>
  createHmac('sha256', key).update(checkpointText(checkpoint)).digest('base64url')

export const isSigned = (keys: readonly KeyObject[], checkpoint: Checkpoint, mac: string): boolean =>
  keys.some((key) => signCheckpoint(key, checkpoint) === mac)

export type Verdict = { ok: true; count: number; head: string } | Broken

export interface Broken {
  ok: false
  /** Which line it is, the first one being 1. */
  line: number
  /** What was expected and what arrived. */
  why: string
  /** The entry as it stands there, which may have been changed. */
  text: string
}

/**
 * Follows a chain from anywhere in it; tells the first link that is broken. An entry that was changed, added by somebody
 * without the key, taken out or put elsewhere breaks it. One that is missing at the end does not: compare `head` with the
 * one in the API's log. `from`: the hash that the first line must go on from, where that is known.
 */
export async function verifyAudit(
  lines: Iterable<AuditLine | string> | AsyncIterable<AuditLine | string>,
  keys: readonly KeyObject[],
  from?: string,
): Promise<Verdict> {
  let count = 0
  let head = from
  for await (const given of lines) {
    const line = typeof given === 'string' ? (readLine(given) ?? notALine(given)) : given
    const why = faultOf(line, head, keys)
    if (why) return { ok: false, line: count + 1, why, text: line.text }
    head = line.hash
    count++
  }
  return { ok: true, count, head: head ?? beginning }
}

/** Something else than a line: whatever it follows, its hash is not right. */
const notALine = (text: string): AuditLine => ({ text, prev: '', hash: '' })

function faultOf({ text, prev, hash }: AuditLine, head: string | undefined, keys: readonly KeyObject[]): string | null {
  if (head !== undefined && prev !== head) {
    return `expected it to follow the entry of hash ${head || '(none)'}, got one that follows ${prev || '(none)'}`
  }
  if (keys.some((key) => chainHash(key, prev, text) === hash)) return null
  return 'expected the hash of this entry under a key of this fleet, got another: it was changed, or written by a stranger'
}
