interface Range {
  type: string
  quality: number
}

/**
 * The one of the offered media types that an `Accept` header likes best (RFC 9110, 12.5.1); the first of several that it likes
 * as much, and of none, since an answer in another form is better than none.
 */
export function preferred<T extends string>(accept: string | undefined, offered: readonly [T, ...T[]]): T {
  const ranges = (accept ?? '*/*').split(',').map(readRange)
  const [best] = offered
    .map((type) => ({ type, quality: qualityOf(type, ranges) }))
    .toSorted((one, other) => other.quality - one.quality)
  return best && best.quality > 0 ? best.type : offered[0]
}

function readRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const quality = parameters.map((one) => /^q=([\d.]+)$/.exec(one)?.[1]).find((found) => found !== undefined)
  return { type, quality: quality === undefined ? 1 : Number(quality) || 0 }
}

/** By the range that says most about it. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const [kind] = type.split('/')
  const fitting = [type, `${kind}/*`, '*/*'].map((name) => ranges.find((range) => range.type === name))
  return fitting.find((range) => range !== undefined)?.quality ?? 0
}
