import { basename, dirname, join } from 'node:path'
import { filesBelow, read, type Source, sources, typeScript } from './support/source-files'

/** What may be imported from the workspace, by package. One that is not listed speaks HTTP only. */
const mayImport: Record<string, readonly string[]> = {
  'libs/actions': [],
  'libs/fleet': ['@deblox/actions'],
  'apps/api': ['@deblox/actions', '@deblox/fleet'],
  'apps/worker': ['@deblox/actions', '@deblox/fleet'],
}

/** Where a package may be imported from: a file, or a folder that ends in `/`. */
const homes: Record<string, readonly string[]> = {
  bullmq: ['libs/fleet/', 'apps/worker/'],
  ioredis: ['libs/fleet/'],
  express: ['apps/api/'],
  child_process: [],
  'node:child_process': [],
}

/** A rule says what of a source breaks it. It is tried on sources made up to break and to keep it, then on all of ours. */
interface Rule {
  broken: (source: Source) => string[]
  bad: readonly Source[]
  good: readonly Source[]
}

const at = (path: string, text: string): Source => ({ path, text })

const rules: Record<string, Rule> = {
  'apps import libs, fleet imports actions, and nobody the other way or sideways': {
    broken: ({ path, text }) => {
      const home = packageOf(path)
      const allowed = mayImport[home] ?? []
      return importsOf(text)
        .map(({ from }) => from)
        .filter((from) => {
          if (from.startsWith('.')) return !join(dirname(path), from).startsWith(`${home}/`)
          return from.startsWith('@deblox/') && !allowed.includes(from.split('/', 2).join('/'))
        })
    },
    bad: [
      at('libs/actions/src/a.ts', `import { times } from '@deblox/fleet/names'`),
      at('libs/fleet/src/a.ts', `import type { Route } from '../../../apps/api/src/route'`),
      at('apps/api/src/a.ts', `export * from '../../worker/src/gate'`),
      at('apps/api/src/a.ts', `const gate = await import('@deblox/worker/gate')`),
      at('apps/web/src/a.ts', `import { actions } from '@deblox/actions/registry'`),
    ],
    good: [
      at('apps/api/src/routes/a.ts', `import { problem } from '../errors'\nimport '@deblox/fleet/names'`),
      at('libs/fleet/src/a.ts', `import {\n  errorTable,\n} from '@deblox/actions/errors'`),
    ],
  },

  'dockerode as a value is in docker.ts alone': {
    broken: ({ path, text }) =>
      path === 'apps/worker/src/docker.ts'
        ? []
        : importsOf(text).flatMap(({ from, typeOnly }) => (from === 'dockerode' && !typeOnly ? from : [])),
    bad: [
      at('apps/worker/src/watch.ts', `import Docker from 'dockerode'`),
      at('libs/actions/src/a.ts', `import { type Container, Docker } from 'dockerode'`),
      at('libs/actions/src/a.ts', `const Docker = require('dockerode')`),
    ],
    good: [
      at('apps/worker/src/docker.ts', `import Docker from 'dockerode'`),
      at('libs/actions/src/a.ts', `import type Docker from 'dockerode'\nimport { type Image } from 'dockerode'`),
    ],
  },

  'BullMQ, Redis, Express and processes are used where they belong': {
    broken: ({ path, text }) =>
      importsOf(text).flatMap(({ from }) => {
        const home = Object.hasOwn(homes, from) ? homes[from] : undefined
        return home === undefined || home.some((place) => path.startsWith(place)) ? [] : from
      }),
    bad: [
      at('apps/api/src/a.ts', `import { Queue } from 'bullmq'`),
      at('apps/worker/src/a.ts', `import { Redis } from 'ioredis'`),
      at('libs/fleet/src/a.ts', `import type { Request } from 'express'`),
      at('apps/worker/src/a.ts', `import { execFile } from 'node:child_process'`),
      at('libs/actions/src/a.ts', `const { exec } = require("child_process")`),
    ],
    good: [at('apps/worker/src/a.ts', `import { Worker } from 'bullmq'`), at('apps/api/src/a.ts', `import 'express'`)],
  },

  'no program is run, and no text becomes one, by whatever way': {
    broken: ({ text }) => found(text, /child_process|spawn_sync|(?<![.\w])(eval|Function)\s*\(|['"](node:)?vm['"]/g),
    bad: [
      at('libs/fleet/src/a.ts', `const { exec } = process.getBuiltinModule('child_process')`),
      at('apps/api/src/a.ts', `const shell = await import(\`node:child_process\`)`),
      at('apps/worker/src/a.ts', `return new Function('docker', text)`),
    ],
    good: [at('apps/api/src/a.ts', `const a = retrieval('x') // never by node:child_process`)],
  },

  'a page never makes HTML of text': {
    broken: ({ path, text }) =>
      path.startsWith('apps/web/')
        ? found(text, /(inner|outer|setInner)HTML|insertAdjacentHTML|setHTMLUnsafe|srcdoc|v-html|document\.write/gi)
        : [],
    bad: [
      at('apps/web/src/a.ts', `row.innerHTML = name`),
      at('apps/web/src/a.tsx', `<td dangerouslySetInnerHTML={{ __html: name }} />`),
      at('apps/web/public/a.html', `<script>document.write(location.hash)</script>`),
    ],
    good: [at('apps/web/src/a.ts', `row.textContent = name // not innerHTML`)],
  },

  'the environment is read in config.ts alone': {
    broken: ({ path, text }) => (basename(path) === 'config.ts' ? [] : found(text, /process\s*(\.|\[['"])env\b/g)),
    bad: [at('apps/api/src/main.ts', `const port = process.env['PORT']`), at('libs/a/src/a.ts', `process['env']`)],
    good: [at('apps/api/src/config.ts', `process.env`), at('libs/a/src/a.ts', `process.pid // process.env`)],
  },

  'every topic and every key of Redis is made in names.ts': {
    broken: ({ path, text }) =>
      path === 'libs/fleet/src/names.ts' ? [] : found(text, /(['"`])[^'"`\n]*(deblox\.docker|deblox:)[^'"`\n]*\1/g),
    bad: [
      at('apps/worker/src/a.ts', 'const topic = `deblox.docker.${hostname}`'),
      at('libs/fleet/src/docks.ts', `redis.smembers('deblox:docks')`),
    ],
    good: [
      at('libs/fleet/src/names.ts', `const clusterTopic = 'deblox.docker'`),
      at('libs/actions/src/create.ts', `const label = 'deblox.job' // the set deblox:docks, on 'deblox.docker'`),
    ],
  },

  'a file of actions/ exports one action, named after the file': {
    broken: ({ path, text }) => {
      if (dirname(path) !== 'libs/actions/src/actions') return []
      const name = basename(path, '.ts')
      const exported = [...text.matchAll(/^export (?:const|function|async|class|default|\{)\W*(\w*)/gm)]
      const constant = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
      const isNamed = new RegExp(`^export const ${constant} = defineAction\\(\\{\\s*name: '${name}',`, 'm').test(text)
      return isNamed && exported.length === 1 ? [] : exported.map(([, what]) => what ?? '').concat(`not ${constant}`)
    },
    bad: [
      at('libs/actions/src/actions/a-b.ts', `export const aB = defineAction({\n  name: 'b-a',\n})`),
      at('libs/actions/src/actions/a-b.ts', `export const ab = defineAction({ name: 'a-b', })`),
      at('libs/actions/src/actions/a.ts', `export const a = defineAction({ name: 'a', })\nexport const b = 1`),
    ],
    good: [at('libs/actions/src/actions/a-b.ts', `export const aB = defineAction({\n  name: 'a-b',\n})`)],
  },
}

describe.each(Object.entries(rules))('%s', (_, { broken, bad, good }) => {
  test.each(bad)('found broken in $path: $text', (source) => expect(broken(source)).not.toEqual([]))
  test.each(good)('found kept in $path: $text', (source) => expect(broken(source)).toEqual([]))
  test('in all sources', () => expect(allBroken(sources(), broken)).toEqual([]))
})

describe('every TypeScript file has at most 250 lines', () => {
  const broken = ({ text }: Source) => (text.trimEnd().split('\n').length > 250 ? ['too long'] : [])

  test('found broken', () => expect(broken(at('a.ts', 'line\n'.repeat(251)))).not.toEqual([]))
  test('found kept', () => expect(broken(at('a.ts', 'line\n'.repeat(250)))).toEqual([]))
  test('in all files', () => expect(allBroken(typeScript(), broken)).toEqual([]))
})

describe('every action has its test beside it', () => {
  const untested = (paths: string[]) =>
    paths.filter((path) => !paths.includes(path.replace(/(\.test)?\.ts$/, '.test.ts')))

  test('found broken', () => expect(untested(['a.ts', 'b.ts', 'b.test.ts'])).toEqual(['a.ts']))
  test('in the folder of actions', () => {
    const paths = typeScript().map(({ path }) => path)
    const actions = paths.filter((path) => dirname(path) === 'libs/actions/src/actions')
    expect(actions).not.toEqual([])
    expect(untested(actions)).toEqual([])
  })
})

describe('the documents name only files that exist', () => {
  const everything = filesBelow('.')
  const exists = (path: string) => everything.some((file) => file === path || file.startsWith(`${path}/`))

  /** Relative links, and in backticks: paths that begin at the root, and names of files. */
  const broken = ({ path, text }: Source): string[] => {
    const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, link]) => link as string)
    const spans = [...text.matchAll(/`([\w./-]+)`/g)].map(([, span]) => span as string)
    return [
      ...links.filter((link) => !/^(https?:|mailto:|\/)/.test(link) && !exists(join(dirname(path), link))),
      ...spans.filter((span) => rootFolder.test(span) && !exists(span.replace(/\/$/, ''))),
      ...spans.filter((span) => fileName.test(span) && !everything.some((file) => basename(file) === span)),
    ]
  }
  const rootFolder = /^(apps|libs|test|script|docs|bench|templates|\.ci)\//
  const fileName = /^[\w.-]+\.(ts|mjs|md|ya?ml|json)$/

  const bad = [
    at('README.md', 'see [the map](docs/nowhere.md#top)'),
    at('docs/adr/1.md', 'see [the other](../nowhere.md)'),
    at('docs/map.md', 'it is in `libs/fleet/src/nowhere.ts`'),
    at('docs/map.md', 'it is in `nowhere.ts`'),
  ]
  const good = [
    at(
      'docs/map.md',
      '[what there is](../package.json), [web](https://example.com/a.md), `libs/fleet/src/names.ts`, `names.ts`',
    ),
    at('README.md', 'run `script/up`, get `GET /v1/docks` and `application/json`; see `libs/`'),
  ]
  test.each(bad)('found broken: $text', (source) => expect(broken(source)).toHaveLength(1))
  test.each(good)('found kept: $text', (source) => expect(broken(source)).toEqual([]))
  test('in all documents', () => {
    const documents = everything.filter((path) => path.endsWith('.md')).map(read)
    expect(documents).not.toEqual([])
    expect(allBroken(documents, broken)).toEqual([])
  })
})

const allBroken = (all: readonly Source[], broken: Rule['broken']): string[] =>
  all.flatMap((source) => broken(source).map((what) => `${source.path}: ${what}`))

const packageOf = (path: string): string => path.split('/', 2).join('/')

/** Matches in what is code: a comment may name what it likes. */
const found = (text: string, pattern: RegExp): string[] =>
  [...text.replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*$/gm, '').matchAll(pattern)].map(([match]) => match)

/** What a source imports, in any of the ways to say so. */
function importsOf(text: string): { from: string; typeOnly: boolean }[] {
  const statements = text.matchAll(/^\s*(?:import|export)\s+(?:([^'"`;]*?)\s+from\s+)?['"]([^'"]+)['"]/gm)
  const calls = text.matchAll(/\b(?:require|import)\(\s*['"]([^'"]+)['"]/g)
  return [
    ...[...statements].map(([, what = '', from = '']) => ({ from, typeOnly: isTypeOnly(what) })),
    ...[...calls].map(([, from = '']) => ({ from, typeOnly: false })),
  ]
}

/** `import type …`, or braces in which every name is marked so. */
function isTypeOnly(what: string): boolean {
  if (/^type\b/.test(what)) return true
  const names =
    /^\{([^}]*)\}$/
      .exec(what)?.[1]
      ?.split(',')
      .filter((name) => name.trim() !== '') ?? []
  return names.length > 0 && names.every((name) => /^\s*type\s/.test(name))
}
