import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layout } from './layout.ts'

/** Settings that these applications use, and nothing else that clusters share. */
export function settingsOnlyOf(root: string, settings: string[], apps: string[]): Set<string> {
  const texts = (directory: string) =>
    readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => ({ file: `${directory}/${file}`, text: readFileSync(join(root, directory, file), 'utf8') }))
  const bases = apps.map((app) => `${layout.appBases}/${app}/`)
  const shared = [...texts(layout.infrastructure), ...texts(layout.apps)]
  const [theirs, others] = [true, false].map((is) =>
    shared
      .filter(({ file }) => bases.some((base) => file.startsWith(base)) === is)
      .map(({ text }) => text)
      .join('\n'),
  )
  const uses = (text: string | undefined, name: string) => new RegExp(`\\$\\{${name}\\b`).test(text ?? '')
  return new Set(settings.filter((name) => uses(theirs, name) && !uses(others, name)))
}
