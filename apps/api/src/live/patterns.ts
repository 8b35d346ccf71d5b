/**
 * Whether a text is like that: where the pattern has `*` (any characters) or `?` (any one) it must be so from its beginning to its end,
 * otherwise it is enough that it is part of it. Takes no longer than both lengths multiplied.
 */
export function likeness(pattern: string): (text: string) => boolean {
  if (!/[*?]/.test(pattern)) return (text) => text.includes(pattern)
  return (text) => matches(pattern, text)
}

function matches(pattern: string, text: string): boolean {
  let [p, t] = [0, 0]
  let [star, from] = [-1, 0]
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      from = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      // The last `*` takes one character more.
      p = star + 1
      t = ++from
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
