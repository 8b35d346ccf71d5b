import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { pullImage } from './pull-image'

const double = useDockerDouble()

test('pulls the image, and answers what is there then', async () => {
  const image = { Id: 'sha256:1', RepoTags: ['ubuntu:latest'], RepoDigests: ['ubuntu@sha256:2'], Size: 7 }
  double.answer('POST /images/create', { status: 200, body: { status: 'Pull complete' } })
  double.answer('GET /images/ubuntu/json', { status: 200, body: { ...image, Config: { Env: ['A=1'] } } })
  const result = await pullImage.run({ image: 'ubuntu' }, contextFor(double.docker))
  expect(result).toEqual({ statusCode: 200, body: image })
  expect(double.asked[0]?.query).toEqual({ fromImage: 'ubuntu:latest' })
})

test('pulls from the registries that the rules name alone', async () => {
  const rules = { profile: 'baseline', registries: ['docker.io/library'] } as const
  pullImage.admit?.({ image: 'ubuntu' }, rules)
  expect(() => pullImage.admit?.({ image: 'quay.io/a/b' }, rules)).toThrow(/^image: expected an image by name from /)
  const context = contextFor(double.docker, { rules })
  await expect(pullImage.run({ image: 'quay.io/a/b' }, context)).rejects.toMatchObject({ code: 'admission_denied' })
  expect(double.asked).toEqual([])
})
