import { createContainer } from './actions/create-container'
import { DebloxError } from './errors'
import { validate } from './explain'
import { hideIn, withoutSecrets, withSecrets } from './secrets'

describe('a document with secrets', () => {
  test('has them in its environment, over what it has of their names, and their names in a label', () => {
    const document = { Image: 'busybox', Env: ['A=1', 'TOKEN=open', 'TOKENS=2'], Labels: { team: 'web' } }
    expect(withSecrets(document, { env: { TOKEN: 'x=y', EMPTY: '' } })).toEqual({
      Image: 'busybox',
      Env: ['A=1', 'TOKENS=2', 'TOKEN=x=y', 'EMPTY='],
      Labels: { team: 'web', 'deblox.secrets': 'TOKEN,EMPTY' },
    })
  })

  test('stays as it is where there are none for its environment', () => {
    const document = { Image: 'busybox' }
    expect(withSecrets(document)).toBe(document)
    expect(withSecrets(document, { registry: { username: 'a', password: 'b' } })).toBe(document)
  })
})

describe('what Docker says of a container', () => {
  const inspected = (Labels: Record<string, string> | null, Env: string[] | null = ['A=1', 'TOKEN=x=y']) => ({
    Id: '1',
    Config: { Env, Labels, Image: 'busybox' },
  })

  test('is shown without the values that its label calls secret', () => {
    expect(withoutSecrets(inspected({ 'deblox.secrets': 'TOKEN,OTHER' })).Config).toEqual({
      Env: ['A=1', 'TOKEN=***'],
      Labels: { 'deblox.secrets': 'TOKEN,OTHER' },
      Image: 'busybox',
    })
  })

  test.each([
    ['without that label', inspected({})],
    ['without labels', inspected(null)],
    ['without an environment', inspected({ 'deblox.secrets': 'A' }, null)],
    ['that says nothing of it', { Id: '1' }],
  ])('is shown as it is %s', (_, body) => {
    expect(withoutSecrets<object>(body)).toBe(body)
  })
})

describe('a failure', () => {
  const secrets = { env: { A: 'geheim', B: 'geheimer', C: '' }, registry: { username: 'anna', password: 'p"ss' } }

  test('has no secret in its words and details, the longer one first', () => {
    const error = new DebloxError('docker_error', 'not "geheimer" nor geheim, says anna with p"ss', {
      status: 409,
      details: { seen: ['geheim', { deep: 'p"ss' }], count: 3 },
      cause: new Error('geheim'),
    })
    const shown = hideIn(error, secrets)
    expect(shown).toMatchObject({ code: 'docker_error', status: 409, message: 'not "***" nor ***, says anna with ***' })
    expect(shown.details).toEqual({ seen: ['***', { deep: '***' }], count: 3 })
    expect(shown.cause).toBeUndefined()
  })
})

describe('a request that is wrong about them', () => {
  test.each([
    [{ secrets: { A: ['geheim'] } }],
    [{ secrets: 'geheim' }],
    [{ secrets: { 'geheim=': 'x' } }],
    [{ secrets: { A: 'geheim\0' } }],
    [{ secrets: {} }],
    [{ registryAuth: 'geheim' }],
    [{ registryAuth: { username: 'a', password: { geheim: 1 } } }],
    [{ registryAuth: { username: 'a', password: 'b', geheim: 1 } }],
  ])('%j is told what is expected, and not what arrived', (fields) => {
    const check = () => validate(createContainer.request, { image: 'busybox', ...fields })
    expect(check).toThrow(/^(secrets|registryAuth): expected .*; got something else$/)
    expect(check).toThrow(expect.not.objectContaining({ message: expect.stringContaining('geheim=') }) as Error)
  })
})
