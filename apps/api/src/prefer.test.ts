import { readPrefer } from './prefer'

const unless = { waitMs: 30_000, applied: '' }

test.each([
  [undefined, unless],
  ['', unless],
  ['wait=5', { waitMs: 5_000, applied: 'wait=5' }],
  ['wait=0', { waitMs: 0, applied: 'wait=0' }],
  ['WAIT = 7', { waitMs: 7_000, applied: 'wait=7' }],
  ['wait="9"', { waitMs: 9_000, applied: 'wait=9' }],
  ['wait=5; foo=bar', { waitMs: 5_000, applied: 'wait=5' }],
  ['return=minimal, wait=5', { waitMs: 5_000, applied: 'wait=5' }],
  ['wait=1, wait=2', { waitMs: 1_000, applied: 'wait=1' }],
  ['wait=300', { waitMs: 300_000, applied: 'wait=300' }],
  ['wait=301', { waitMs: 300_000, applied: 'wait=300' }],
  ['wait=999999999', { waitMs: 300_000, applied: 'wait=300' }],
  ['respond-async', { waitMs: 0, applied: 'respond-async' }],
  ['Respond-Async, wait=10', { waitMs: 0, applied: 'respond-async' }],
  ['wait=-1', unless],
  ['wait=1.5', unless],
  ['wait=soon', unless],
  ['wait', unless],
  ['wait=1e3', unless],
  ['wait=99999999999999999999', unless],
  ['handling=strict', unless],
])('Prefer: %s', (header, preference) => expect(readPrefer(header)).toEqual(preference))
