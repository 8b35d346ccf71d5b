import { createHash } from 'node:crypto'
import type { Answer, Caller } from './route'

/**
 * The answer with this body, or 304 where the caller has it already (`If-None-Match`). Express does the same, but not for who says
 * `Cache-Control: no-cache`, as every browser does where a page asks with a tag of its own: that is a matter of caches, and we are none.
 */
export function unlessKnown(body: object, { header }: Pick<Caller, 'header'>): Answer {
  const text = JSON.stringify(body)
  const tag = `"${createHash('sha1').update(text).digest('base64url')}"`
  if (names(header('if-none-match') ?? '', tag)) return { status: 304, headers: { ETag: tag } }
  return { status: 200, headers: { ETag: tag, 'Content-Type': 'application/json; charset=utf-8' }, body: text }
}

/** Whether a header has that tag among others; a proxy that compresses may have made it a weak one. */
const names = (header: string, tag: string): boolean =>
  header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === tag)
