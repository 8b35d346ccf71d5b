import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type ContainerSpec, templateName, templateSpec } from '@deblox/actions/container-spec'
import { validate } from '@deblox/actions/explain'
import { StartError } from '@deblox/fleet/start-error'
import { parse } from 'yaml'

/** Reads the templates that are shipped in a folder, validated as stored ones are. Throws naming the file that is wrong. */
export function readShippedTemplates(folder: string): Map<string, ContainerSpec> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
  return new Map(files.map((file) => [basename(file, '.yaml'), readTemplate(join(folder, file))]))
}

function readTemplate(file: string): ContainerSpec {
  try {
    validate(templateName, basename(file, '.yaml'))
    return validate(templateSpec, parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new StartError(`${file}: ${(error as Error).message}`, { cause: error })
  }
}
