import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './repository'

/** A file of the repository, by its path from the root. */
export interface Source {
  path: string
  text: string
}

/** What is built and run: neither tests nor what only tests use. A page may hold code of any kind. */
export const sources = (): Source[] =>
  filesBelow('.')
    .filter((path) => /^(apps|libs)\/(?!.*(\.test\.tsx?$|\/testing\/))/.test(path))
    .filter((path) => /\.([cm]?[jt]sx?|html|vue|svelte)$/.test(path) && !path.endsWith('.d.ts'))
    .map(read)

export const typeScript = (): Source[] =>
  filesBelow('.')
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'))
    .map(read)

export const read = (path: string): Source => ({ path, text: readFileSync(join(repository, path), 'utf8') })

/** Paths from the root, without what is installed, built or left by a try-out. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(repository, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (/^(node_modules|dist|\.git|\.deblox)$/.test(entry.name)) return []
    return entry.isDirectory() ? filesBelow(path) : path
  })
}
