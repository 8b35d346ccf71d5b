import { actions, findAction } from './registry'

const all = [...actions.values()]

test('knows every action of the original, by its old names too', () => {
  const original = [
    'register',
    'unregister',
    'create-container',
    'create-unibet-container',
    'create-raw-container',
    'start-container',
    'stop-container',
    'restart-container',
    'delete-container',
    'inspect-container',
    'list-containers',
    'list-images',
  ]
  expect(original.filter((name) => findAction(name) === undefined)).toEqual([])
})

test.each(['', 'start', 'Start-Container', '__proto__', 'constructor', '../registry'])('knows no action %j', (name) => {
  expect(findAction(name)).toBeUndefined()
})

test('gives each action a route of its own', () => {
  const routes = all.map(({ method, path }) => `${method} ${path.replaceAll(/:\w+/g, ':')}`)
  expect(new Set(routes).size).toBe(routes.length)
})

test.each(all.map((action) => [action.name, action] as const))('%s takes what its route names', (_, action) => {
  const taken = Object.keys(action.request.describe()['keys'] as object)
  const named = [...action.path.matchAll(/:(\w+)/g)].map(([, field]) => field)
  expect(taken).toEqual(expect.arrayContaining(named))
})

test.each(all.filter(({ target }) => target === 'container').map((action) => [action.name, action] as const))(
  '%s, which is about a container, takes its id',
  (_, action) => {
    expect(action.request.validate({}).error?.message).toContain('64 hex digits')
  },
)
