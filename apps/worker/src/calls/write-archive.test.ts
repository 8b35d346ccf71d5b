import { paced } from './write-archive'

const never = new AbortController().signal

test('an archive is passed on as it comes, to its end', async () => {
  async function* input() {
    yield Buffer.from('one')
    yield Buffer.from('two')
  }
  const pieces: string[] = []
  for await (const piece of paced(input(), never, 1_000)) pieces.push(piece.toString())
  expect(pieces).toEqual(['one', 'two'])
})

test('whoever stops sending in the middle is not waited for', async () => {
  async function* input() {
    yield Buffer.from('one')
    await new Promise(() => {})
  }
  const pieces = paced(input(), never, 20)
  expect((await pieces.next()).value).toEqual(Buffer.from('one'))
  await expect(pieces.next()).rejects.toMatchObject({
    code: 'call_timeout',
    message: expect.stringContaining('within 0.02 s'),
  })
})

test('it ends with its signal', async () => {
  const leaving = new AbortController()
  async function* input() {
    await new Promise(() => {})
    yield Buffer.from('')
  }
  const next = paced(input(), leaving.signal, 10_000).next()
  leaving.abort(new Error('the caller has left'))
  await expect(next).rejects.toThrow('the caller has left')
})
