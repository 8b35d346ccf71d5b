import { redacted, redactedData } from './redacted'

const canary = 'canary-4711'
const payload = {
  v: 3,
  jobId: 'j1',
  slot: 1,
  action: 'create-container',
  actor: 'anna',
  owner: 'team:web',
  dock: 'dock1',
  acceptedAt: 1,
  params: { image: 'busybox', env: { A: canary }, body: { Env: [canary] }, registryAuth: canary },
  identity: { subject: canary },
  sealed: canary,
  given: { labels: { a: canary } },
}
const plain = {
  jobId: 'j1',
  slot: 1,
  action: 'create-container',
  actor: 'anna',
  owner: 'team:web',
  dock: 'dock1',
  acceptedAt: 1,
}

test('of a signed payload it is shown which job it is, and for whom', () => {
  expect(redactedData({ v: 3, body: JSON.stringify(payload), sig: canary })).toEqual(plain)
})

test('so it is of one that was never signed', () => {
  expect(redactedData(payload)).toEqual(plain)
})

test.each([null, undefined, 1, canary, [canary], { body: canary }, { body: '{' }, { body: 'null' }])(
  'nothing is shown of %j',
  (data) => expect(redactedData(data)).toEqual({}),
)

test('an object where a text is expected is not shown, and a long text not in full', () => {
  expect(redactedData({ jobId: { a: canary }, actor: 'x'.repeat(1_000) })).toEqual({ actor: 'x'.repeat(200) })
})

test('a job is shown without its result, its options, its stack, and what its failure says', () => {
  const record = {
    id: 'j1.1',
    name: 'create-container',
    timestamp: 1,
    attemptsMade: 2,
    data: { body: JSON.stringify(payload) },
    opts: { a: canary },
    progress: { a: canary },
    returnvalue: { envelope: canary },
    stacktrace: [canary],
    failedReason: JSON.stringify({ code: 'docker_error', status: 500, message: canary, dock: 'dock1' }),
    deferredFailure: canary,
    deduplicationId: canary,
    parent: canary,
  }
  const shown = redacted({ toJSON: () => record }).toJSON()
  expect(JSON.stringify(shown)).not.toContain(canary)
  expect(shown).toMatchObject({ id: 'j1.1', attemptsMade: 2, data: plain, failedReason: 'docker_error' })
})

test('a failure in other words than a worker’s is not shown in them', () => {
  const shown = redacted({ toJSON: () => ({ failedReason: canary }) }).toJSON()
  expect(shown).toMatchObject({ failedReason: 'outcome_unknown' })
})
