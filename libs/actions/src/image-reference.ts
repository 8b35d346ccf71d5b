import Joi from 'joi'
import { expected } from './messages'

const hostPart = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const registryHost = `${hostPart}(?:\\.${hostPart})*(?::[0-9]+)?`
const pathPart = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const tag = '[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}'
const digest = '(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})'
const reference = new RegExp(`^(?:${registryHost}/)?${pathPart}(?:/${pathPart})*(?::${tag})?(?:@${digest})?$`)

/** An image's id. It names an image on a dock, but nothing in a registry: Docker cannot pull it. */
const imageId = /^(?:sha256:)?[0-9a-f]{64}$/

export const isImageId = (image: string): boolean => imageId.test(image)

/** What `docker pull` takes. */
export const pullableImage = Joi.string()
  .max(512)
  .pattern(reference)
  .pattern(imageId, { invert: true, name: 'id' })
  .messages(expected('an image reference such as ubuntu:24.04, and no id, which cannot be pulled'))
  .description('An image reference such as `ubuntu:24.04`')

/** An image reference, or an image's id. */
export const image = Joi.alternatives(Joi.string().pattern(imageId), Joi.string().max(512).pattern(reference))
  .messages(expected('an image reference such as ubuntu:24.04, or an image id'))
  .description('An image reference such as `ubuntu:24.04`, or an image id')

/** Without a tag Docker's API pulls every tag of the repository; `docker pull` pulls `latest`. */
export function withTag(reference: string): string {
  // A colon before the last slash belongs to the registry's port; one after it to a tag or a digest.
  return reference.indexOf(':', reference.lastIndexOf('/')) >= 0 ? reference : `${reference}:latest`
}
