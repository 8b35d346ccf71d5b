import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { listImages } from './list-images'

const double = useDockerDouble()
const listed = [
  { Id: 'sha256:5506', RepoTags: ['ubuntu:latest'], RepoDigests: null, Created: 1, Size: 5, Labels: null },
]

test('answers Docker’s own list', async () => {
  double.answer('GET /images/json', { status: 200, body: listed })
  await expect(listImages.run({}, contextFor(double.docker))).resolves.toEqual({ statusCode: 200, body: listed })
  expect(double.asked).toEqual([{ what: 'GET /images/json', query: {}, body: undefined }])
})

test('shapes rows for REST', () => {
  expect(listImages.present?.(listed, 'dock-1')).toMatchObject([
    { id: 'sha256:5506', dock: 'dock-1', tags: ['ubuntu:latest'] },
  ])
})
