import type Docker from 'dockerode'
import { imageRow } from './image-row'

const listed = {
  Id: 'sha256:5506',
  RepoTags: ['ubuntu:24.04', 'ubuntu:latest'],
  RepoDigests: ['ubuntu@sha256:1234'],
  Created: 1_416_042_687,
  Size: 197_766_079,
  Labels: { version: '24.04' },
} as unknown as Docker.ImageInfo

test('shapes an entry of Docker’s list', () => {
  expect(imageRow(listed, 'dock-1')).toEqual({
    id: 'sha256:5506',
    dock: 'dock-1',
    tags: ['ubuntu:24.04', 'ubuntu:latest'],
    digests: ['ubuntu@sha256:1234'],
    size: 197_766_079,
    labels: { version: '24.04' },
    createdAt: '2014-11-15T09:11:27.000Z',
  })
})

test.each([null, undefined, ['<none>:<none>'], []])('of an image without a name (%j) shows none', (names) => {
  const nameless = { ...listed, RepoTags: names, RepoDigests: names, Labels: null } as unknown as Docker.ImageInfo
  expect(imageRow(nameless, 'dock-1')).toMatchObject({ tags: [], digests: [], labels: {} })
})
