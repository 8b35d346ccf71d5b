import { DebloxError } from '../errors'
import { fieldName, preview } from '../explain'
import type { Rules } from './rules'

/** Where in a document a reader is, and what the document may ask for. */
export interface At {
  path: readonly (string | number)[]
  rules: Rules
}

export const inside = ({ path, rules }: At, part: string | number): At => ({ path: [...path, part], rules })

export const fieldOf = ({ path }: At): string => fieldName(path, 'body')

/** What a stronger profile would allow. `got` shows the value unless told: say it otherwise where it may be a secret. */
export function denied(at: At, expected: string, value: unknown, got = preview(value)): DebloxError {
  const { profile, capped } = at.rules
  const field = fieldOf(at)
  const whose = capped ? `the profile ${profile} of this dock's policy` : `the profile ${profile}`
  return new DebloxError(
    capped ? 'dock_policy' : 'admission_denied',
    `${field}: expected ${expected} under ${whose}, got ${got}`,
    { details: { field, profile } },
  )
}

/** What no profile allows, because it is no document of Docker's or not as Docker spells it. */
export function malformed(at: At, expected: string, got: string): DebloxError {
  const field = fieldOf(at)
  const message = `${field}: expected ${expected}, got ${got}`
  return new DebloxError('invalid_request', message, { details: { field, fields: [{ field, expected, got }] } })
}

/** A value's type, for messages about fields that may hold a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
