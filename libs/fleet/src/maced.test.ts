import { createSecretKey } from 'node:crypto'
import { withMac, withoutMac } from './maced'

const key = createSecretKey(Buffer.alloc(32, 1))
const other = createSecretKey(Buffer.alloc(32, 2))

test('what was written is read again', () => {
  for (const text of ['', '{"a":1}', 'a.b.c', 'ü\0ü'])
    expect(withoutMac('one', withMac('one', text, key), key)).toBe(text)
})

test('what somebody else wrote, changed, or put under another name is not', () => {
  const stored = withMac('one', '{"role":"viewer"}', key)
  expect(withoutMac('one', stored, other)).toBeUndefined()
  expect(withoutMac('two', stored, key)).toBeUndefined()
  expect(withoutMac('one', stored.replace('viewer', 'admin'), key)).toBeUndefined()
  for (const forged of ['', '.', '.{}', '{}', 'x.{}', stored.slice(1)]) {
    expect(withoutMac('one', forged, key)).toBeUndefined()
  }
})
