import Joi from 'joi'
import { expected } from './messages'

const size = /^(\d+(?:\.\d+)?) ?(?:([kmgt])i?)?b?$/i
const unitSize: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** Bytes of a validated size: fractions of a byte are dropped, as Docker does. */
export function bytes(value: number | string): number {
  if (typeof value === 'number') return value
  const [, amount = '0', unit = ''] = size.exec(value) ?? []
  return Math.floor(Number(amount) * (unitSize[unit.toLowerCase()] ?? 1))
}

/** Bytes as a number, or as Docker users write them (`512m`, `1.5g`), at least so many of them. */
function memoryOf(least: number, phrase: string) {
  const text = Joi.string()
    .pattern(size)
    .custom((value: string, helpers) => {
      const count = bytes(value)
      return count >= least && Number.isSafeInteger(count) ? value : helpers.error('any.invalid')
    })
  return Joi.alternatives(Joi.number().integer().min(least).max(Number.MAX_SAFE_INTEGER), text)
    .messages(expected(phrase))
    .description('Bytes, or a size such as `512m`')
}

/** A limit for a new container; 0 is none. */
export const memory = memoryOf(0, 'bytes, or a size such as 512m or 1.5g')

/** A new limit for a container: Docker takes 0 for "leave it as it is". */
export const newMemory = memoryOf(1, 'bytes, 1 or more, or a size such as 512m or 1.5g')
