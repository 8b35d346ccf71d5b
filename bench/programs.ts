import { copyFile, cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repository } from '../test/support/repository'

const parts = ['apps/api', 'apps/worker', 'libs/actions', 'libs/fleet']

/**
 * Copies the built programs into a folder and adds the action `do-nothing` to them, which is one file and a row of the policies there
 * as in the source. Nothing else differs from what users run.
 */
export async function copyPrograms(folder: string): Promise<void> {
  for (const part of parts) {
    await cp(join(repository, part, 'dist'), join(folder, part, 'dist'), { recursive: true })
    await copyFile(join(repository, part, 'package.json'), join(folder, part, 'package.json'))
  }
  await cp(join(repository, 'templates'), join(folder, 'templates'), { recursive: true })
  await copyFile(join(__dirname, 'do-nothing.js'), join(folder, 'libs/actions/dist/actions/do-nothing.js'))
  await allow('do-nothing', join(folder, 'libs/actions/dist/access/policies.js'))
  await linkPackages(folder)
}

/** All packages of the repository, but the copy's own libraries. */
async function linkPackages(folder: string): Promise<void> {
  const from = join(repository, 'node_modules')
  const to = join(folder, 'node_modules')
  await mkdir(join(to, '@deblox'), { recursive: true })
  for (const name of await readdir(from)) {
    if (name !== '@deblox') await symlink(join(from, name), join(to, name))
  }
  for (const library of ['actions', 'fleet']) {
    await symlink(join(folder, 'libs', library), join(to, '@deblox', library))
  }
}

/** Nothing is served without a row in the table of policies. */
async function allow(action: string, file: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const beginning = 'const table = {'
  if (!text.includes(beginning)) throw new Error(`expected ${beginning} in ${file}, got none`)
  await writeFile(file, text.replace(beginning, `${beginning} '${action}': { roles: admins, reach: 'fleet' },`))
}
