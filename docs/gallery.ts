/**
 * Records real commands in a lab as pictures, docs/gallery/*.svg, with the page that shows them:
 *
 *     k8sops lab up --cluster apps && k8sops bootstrap --cluster apps --lab && k8sops lab fixtures add && node docs/gallery.ts
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const program = join(root, 'bin/k8sops.js')
const lab = ['--cluster', 'apps', '--lab']

interface Picture {
  name: string
  /** What one sees in it. */
  caption: string
  words: string[]
  /** Lines of it, where the rest is more of the same. */
  most?: number
}

const pictures: Picture[] = [
  {
    name: 'bootstrap-plan',
    caption: 'Every write is a plan first: what is done already is skipped, and each command can be pasted.',
    words: ['bootstrap', '--dry-run'],
    most: 40,
  },
  { name: 'cluster-status', caption: 'All of a cluster on one screen.', words: ['cluster', 'status'] },
  {
    name: 'upgrade-forecast',
    caption: 'What an upgrade would meet on each node, before it begins.',
    words: ['talos', 'upgrade', '--forecast', '--to', 'v1.13.0'],
  },
  {
    name: 'backup-status',
    caption: 'What has no fresh backup, and what has none at all.',
    words: ['backup', 'status'],
  },
  {
    name: 'restore-plan',
    caption: 'A restore, before it touches anything: held, stopped, restored, and back as it was.',
    words: ['volsync', 'restore', 'odoo', '--previous', '1', '--overwrite', '--dry-run'],
    most: 45,
  },
  {
    name: 'netpol-explain',
    caption: 'Which network policy decides, from the manifests alone.',
    words: ['netpol', 'explain', 'business/odoo', 'databases/postgres', '5432'],
  },
  { name: 'gate-check', caption: 'Every gate by name, with its reason.', words: ['gate', 'check'], most: 40 },
  {
    name: 'flux-status',
    caption: 'What Flux runs, and how far behind Git it is.',
    words: ['flux', 'status'],
    most: 30,
  },
]

mkdirSync(join(root, 'docs/gallery'), { recursive: true })
const env = { ...process.env, FORCE_COLOR: '1', COLUMNS: '130' }
for (const { name, words, most } of pictures) {
  const { stdout, stderr } = spawnSync(process.execPath, [program, ...words, ...lab], {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  const lines = `${stdout}${stderr}`.trimEnd().split('\n')
  const shown =
    most !== undefined && lines.length > most ? [...lines.slice(0, most), `… ${lines.length - most} more lines`] : lines
  const screen = [`\u001b[2m$\u001b[0m k8sops ${[...words, ...lab].join(' ')}`, ...shown].join('\n')
  const drawn = spawnSync(process.execPath, [join(root, 'docs/terminal-svg.ts')], { input: screen, encoding: 'utf8' })
  writeFileSync(join(root, `docs/gallery/${name}.svg`), drawn.stdout)
}
const page = pictures.map(
  ({ name, caption, words }) =>
    `## \`k8sops ${words.join(' ')}\`\n${caption}\n\n![${words.join(' ')}](gallery/${name}.svg)\n`,
)
writeFileSync(
  join(root, 'docs/gallery.md'),
  `# Gallery\n\nReal commands in a lab of cluster \`apps\`, recorded by \`node docs/gallery.ts\`.\n\n${page.join('\n')}`,
)
