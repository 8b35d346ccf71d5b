import { admitImage, repositoryOf } from './images'
import type { Rules } from './rules'

const restricted: Rules = { profile: 'restricted' }

test.each([
  ['ubuntu', 'docker.io/library/ubuntu'],
  ['ubuntu:24.04', 'docker.io/library/ubuntu'],
  [`ubuntu@sha256:${'a'.repeat(64)}`, 'docker.io/library/ubuntu'],
  ['team/tool', 'docker.io/team/tool'],
  ['docker.io/ubuntu', 'docker.io/library/ubuntu'],
  ['index.docker.io/team/tool:1', 'docker.io/team/tool'],
  ['example.com:5000/team/tool:1', 'example.com:5000/team/tool'],
  ['localhost/tool', 'localhost/tool'],
  ['Example.com/tool', 'example.com/tool'],
])('%s is from %s', (reference, repository) => expect(repositoryOf(reference)).toBe(repository))

const registries = ['docker.io/library', 'example.com:5000/team', '10.0.0.1:5000']

test.each(['ubuntu', 'docker.io/library/ubuntu:1', 'example.com:5000/team/tool', '10.0.0.1:5000/x'])(
  '%s is from a registry of the list',
  (reference) => {
    expect(() => admitImage(reference, { ...restricted, registries })).not.toThrow()
  },
)

test.each([
  'team/tool',
  'docker.io/library2/ubuntu',
  'example.com/team/tool',
  'example.com:5000/teams/tool',
  'example.com:5000/other/docker.io/library/ubuntu',
  'ubuntu.example.com/x',
  // Docker takes these for the beginning of an id of whatever image is on the dock.
  'a'.repeat(64),
  `sha256:${'a'.repeat(64)}`,
  'sha256:abcd',
  'cafe',
])('%s is not, whatever else it may be', (reference) => {
  expect(() => admitImage(reference, { profile: 'privileged', registries })).toThrow(
    'image: expected an image by name from docker.io/library or example.com:5000/team or 10.0.0.1:5000 under',
  )
})

test('without a list any name does, and under baseline any address', () => {
  for (const reference of ['ubuntu', 'quay.io/a/b', 'cafe', 'a'.repeat(64)]) admitImage(reference, restricted)
  admitImage('10.0.0.1:5000/x', { profile: 'baseline' })
  expect(() => admitImage('10.0.0.1:5000/x', restricted)).toThrow(/^image: expected a registry by its full name/)
})

test('an empty list lets nothing in', () => {
  expect(() => admitImage('ubuntu', { ...restricted, registries: [] })).toThrow(/from no registry at all/)
})
