import type { Chance } from './chance'

/** One job as it is put into Redis past the API, though with its signature, without which no worker looks further. Text is what the field of BullMQ's hash holds; absent: there is none. */
export interface HostileJob {
  /** What is wrong with it, for the message of a failure. */
  wrong: string
  /** The id of its entry, where it is that of its slot. */
  id?: string
  data?: string
  opts?: string
  /** Further fields of BullMQ's hash. */
  fields?: Record<string, string>
}

type Json = unknown
type Valid = Record<string, Json>

const huge = 'a'.repeat(200_000)
const nested = (levels: number): string => '{"a":'.repeat(levels) + '{}' + '}'.repeat(levels)

/** Ids that would be paths for a daemon, keys for Redis, or properties for JavaScript. */
export const hostileIds = [
  'json?all=1#',
  'x/../../info',
  '../../info',
  '',
  ' ',
  'a b',
  '\u0000',
  '__proto__',
  'constructor',
  '*',
  'ab',
  'A'.repeat(64),
  '0'.repeat(63),
  '0'.repeat(65),
  `${'0'.repeat(64)}\n`,
  '\ud800',
  huge,
]

const notStrings: Json[] = [5, null, true, [], {}, ['x'], { toString: 'x' }]
const notNumbers: Json[] = ['1', null, true, [], {}, '', -1, 0.5, 1e21]

/** For each field of a payload the values that it must not have; `undefined` leaves it out. */
const wrongValues = (prefix: string): Record<string, Json[]> => ({
  v: [undefined, '1', 0, -1, 0.5, null, true, [], {}],
  jobId: [undefined, ...notStrings, '', 'x/../../info', '__proto__', 'no-uuid', huge, 'a:b', '*', '\u0000'],
  slot: [undefined, ...notNumbers, 0, 1_000_000],
  numbered: [undefined, 'true', 1, null, [], {}],
  action: [
    undefined,
    ...notStrings,
    '',
    'format-disk',
    'toString',
    '__proto__',
    'constructor',
    huge,
    'START-CONTAINER',
  ],
  params: [undefined, 5, null, 'x', true, [], [{}], { unknown: 1 }, { id: {} }, JSON.parse(nested(1000))],
  actor: [undefined, ...notStrings],
  owner: [undefined, ...notStrings],
  replyTo: [undefined, ...notStrings, '', `${prefix}:docks`, `${prefix}:jobs`, `${prefix}:lease:fake1`],
  acceptedAt: [undefined, 'x', null, [], {}, '1', -1],
})

/** What the API would put on a topic for the text of a payload, if it were out of its mind. */
type Sign = (body: string) => string

/** A payload that is right but for one field, or for two. */
export function hostilePayload(chance: Chance, valid: Valid, prefix: string, sign: Sign): HostileJob {
  const wrong = wrongValues(prefix)
  const payload: Valid = { ...valid }
  const names = Array.from({ length: chance.happens(0.2) ? 2 : 1 }, () => chance.one(Object.keys(wrong)))
  for (const name of names) payload[name] = chance.one(wrong[name] ?? [])
  return {
    wrong: names.map((name) => `${name} = ${short(payload[name])}`).join(', '),
    data: sign(JSON.stringify(payload)),
  }
}

/** A payload whose container is named by something that must never reach a daemon. */
export function hostileTarget(chance: Chance, valid: Valid, sign: Sign): HostileJob {
  const action = chance.one(['start', 'stop', 'restart', 'delete', 'inspect', 'kill', 'pause', 'update'])
  const id = chance.one(hostileIds)
  const more = action === 'update' ? { cpus: 1 } : {}
  const payload = { ...valid, action: `${action}-container`, params: { id, ...more } }
  const own = `${String(valid['jobId'])}.1`
  return { wrong: `${action}-container of ${short(id)}`, id: own, data: sign(JSON.stringify(payload)) }
}

const brokenData = (valid: Valid): (string | undefined)[] => {
  const whole = JSON.stringify(valid)
  return [
    undefined,
    '',
    'null',
    '5',
    '"x"',
    '[]',
    '{}',
    '{',
    '[',
    'nope',
    '\u0000',
    '{"v":1}',
    nested(10_000),
    whole.slice(0, -1),
    whole.slice(0, 40),
    `${whole}}`,
    `{"__proto__":${whole}}`,
    `[${whole}]`,
    JSON.stringify(whole),
  ]
}

const oddOptions: (string | undefined)[] = [
  '{}',
  undefined,
  '',
  'nope',
  '{',
  'null',
  '5',
  '[]',
  '"x"',
  '{"attempts":1000000000}',
  '{"attempts":"many"}',
  '{"attempts":5,"backoff":{"type":"no-such-type","delay":1}}',
  '{"attempts":5,"backoff":{"type":"fixed","delay":-1}}',
  '{"kl":-1,"keepLogs":"x"}',
  '{"removeOnFail":"x"}',
  '{"removeOnFail":{"count":"x","age":[]}}',
  '{"tm":{"a":1}}',
  '{"stackTraceLimit":"x"}',
  '{"fpof":true,"idof":true}',
  '{"__proto__":{"attempts":9}}',
]

const oddFields: Record<string, string>[] = [
  {},
  { timestamp: 'yesterday' },
  { timestamp: '' },
  { timestamp: '-1' },
  { timestamp: '1e400' },
  { delay: 'x', priority: 'x' },
  { progress: '{' },
  { progress: 'NaN' },
  { name: '' },
  { name: '__proto__' },
  { name: huge },
  { ats: 'x' },
  { ats: '-5' },
  { stc: 'x' },
  { stacktrace: '{' },
  { stacktrace: 'null' },
  { stacktrace: '5' },
  { returnvalue: '{' },
  { parent: '{' },
  { parent: '5' },
  { parentKey: 'a:b:c', parent: '{"id":"c","queueKey":"a:b"}' },
  { rjk: 'x' },
  { rjk: 'a:b:c:d:e' },
  { deid: 'x' },
  { failedReason: huge },
  { processedOn: 'x', finishedOn: 'y' },
  { nrjid: 'x' },
  { id: 'another' },
  { no: 'such field' },
]

/** A record of BullMQ's that BullMQ never wrote, around a payload that is none. */
export function hostileRecord(chance: Chance, valid: Valid): HostileJob {
  const data = chance.one(brokenData(valid))
  const opts = chance.happens(0.5) ? chance.one(oddOptions) : '{}'
  const fields = chance.happens(0.5) ? chance.one(oddFields) : {}
  const wrong = `data = ${short(data)}, opts = ${short(opts)}, ${short(fields)}`
  return { wrong, ...(data !== undefined && { data }), ...(opts !== undefined && { opts }), fields }
}

const short = (value: Json): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100)
