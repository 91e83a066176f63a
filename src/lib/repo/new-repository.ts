/** The files of a new repository with one cluster, made from those of the repository that k8sops comes from. Pure: files go in and out. */
import { layout } from './layout.ts'
import { moveAddresses } from './move-addresses.ts'
import { type NewCluster, named, newClusterFiles, withSoleEntry } from './new-cluster.ts'
import { toConfirm } from './new-talconfig.ts'
import { ofMachines } from './rules/variables.ts'
import { isKept, type RepositoryParts } from './template.ts'
import { isScalar, parseDocument } from './yaml.ts'

export interface NewRepository {
  cluster: NewCluster
  parts: RepositoryParts
  /** As Flux pulls it: `ssh://git@github.com/acme/clusters.git`. */
  git: string
  /** Public half of the age key that opens what is encrypted. */
  recipient: string
  /** Clusters that the example's repository has besides. */
  others: string[]
  /** What npm installs as k8sops. */
  program: string
}

/** @param sources by path: `parts.paths`, the example's own files, and template/ */
export function newRepositoryFiles(choice: NewRepository, sources: ReadonlyMap<string, string>): Map<string, string> {
  const { cluster, parts } = choice
  const files = new Map<string, string>()
  const kept = [...sources].filter(([path]) => isKept(path, parts))
  const texts = new Map(kept)
  const unused = unusedSettings(sources, texts, cluster)
  for (const [path, text] of newClusterFiles({ ...cluster, unused }, sources))
    if (path !== layout.repositoryFile) files.set(path, adopted(choice, path, text))
  const facts = layout.settings(cluster.name)
  files.set(facts, marked(parts, files.get(facts) ?? ''))
  for (const [path, text] of kept) files.set(path, adopted(choice, path, shared(choice, path, text, texts)))
  const list = `${layout.cluster(cluster.name)}/infrastructure/kustomization.yaml`
  files.set(list, componentList(parts, files.get(list) ?? ''))
  for (const name of ['README.md', 'gitignore'])
    files.set(name.replace(/^git/, '.git'), (sources.get(`template/${name}`) ?? '').replaceAll('CLUSTER', cluster.name))
  files.set('package.json', packageFile(choice))
  return files
}

/** What only those use that are left out. The package has not got these, so it is told by what nothing uses that is kept. */
function unusedSettings(sources: ReadonlyMap<string, string>, kept: ReadonlyMap<string, string>, { from }: NewCluster) {
  const settings = [...(sources.get(layout.settings(from)) ?? '').matchAll(/^ {2}([A-Z][A-Z0-9_]*):/gm)]
  const overlays = [...sources].filter(([path]) => path.startsWith(`${layout.clusterApps(from)}/`))
  const texts = [...kept, ...overlays].map(([, text]) => text).join('\n')
  const uses = (name: string) => new RegExp(`\\$\\{${name}\\b`).test(texts)
  return new Set(settings.map(([, name = '']) => name).filter((name) => !ofMachines.test(name) && !uses(name)))
}

/** Rows of a table that begin so, with those below that go on with the same. */
const rows = (start: string) => new RegExp(`^\\| ${start}\\|.*\n(\\| \\| .*\n)*`, 'gm')

function shared(choice: NewRepository, path: string, text: string, kept: ReadonlyMap<string, string>): string {
  const { cluster, parts, recipient, others } = choice
  if (path === layout.repositoryFile) return withSoleEntry(cluster, text)
  if (path === layout.sopsConfig) return text.replaceAll(/\bage1[0-9a-z]{58}\b/g, recipient)
  if (path === 'Taskfile.yaml' || path.startsWith(layout.github))
    return (
      text
        .replaceAll(/node (\{\{\.ROOT_DIR\}\}\/|"\$GITHUB_ACTION_PATH\/..\/..\/..\/)?bin\/k8sops\.js"?/g, 'npx k8sops')
        // There the program is what development needs.
        .replaceAll('npm ci --omit=dev', 'npm ci')
        .replaceAll(/^ *- run: npm run check\n/gm, '')
        .replaceAll(/\bcluster=(?!all\b)[a-z]+/g, `cluster=${cluster.name}`)
        .replaceAll(/\bapp=[a-z]+/g, `app=${parts.apps[0]}`)
    )
  if (path === layout.prerequisites)
    return text
      .replace(/^\| \| \w+ \| \w+ \|\n(\|.*\n)+\n/m, '')
      .replaceAll(rows(`k8s-(${others.join('|')}) `), '')
      .replaceAll(new RegExp(`, \`(k8s-)?(${others.join('|')})\``, 'g'), '')
      .replaceAll(rows(`k8s-[^|]+ \\| (${parts.leave.join('|')})[-\\w]* `), '')
  if (path === `${layout.runbooks}/README.md`)
    return text.replaceAll(/^\|.*\]\((\w[\w-]*\.md)\) \|\n/gm, (row, file: string) =>
      kept.has(`${layout.runbooks}/${file}`) ? row : '',
    )
  return text
}

/** Names, addresses and domains of the one whose files these were. */
function adopted({ cluster, parts, git }: NewRepository, path: string, text: string): string {
  const own = path.startsWith(layout.cluster(cluster.name)) || path.startsWith(layout.talos(cluster.name))
  const moved = own ? text : moveAddresses(named(cluster, text), cluster.moves)
  return parts.domains
    .reduce(
      (now, domain) =>
        now.replaceAll(new RegExp(`(?<![\\w-])${domain.replaceAll('.', '\\.')}\\b`, 'g'), cluster.domain),
      moved,
    )
    .replaceAll(parts.git, git)
    .replaceAll(webOf(parts.git), webOf(git))
}

/** `ssh://git@github.com/acme/clusters.git` -> `https://github.com/acme/clusters` */
export const webOf = (git: string) => git.replace(/^(ssh|https):\/\/(git@)?/, 'https://').replace(/\.git$/, '')

/** What is nobody's but the example's, and what to look up in its place. */
function marked({ confirm }: RepositoryParts, text: string): string {
  const document = parseDocument(text)
  for (const [setting, what] of Object.entries(confirm)) {
    const value = document.getIn(['data', setting], true)
    if (isScalar(value)) toConfirm(value, what)
  }
  return document.toString({ lineWidth: 0 })
}

function componentList({ leave, namespaces }: RepositoryParts, text: string): string {
  const rest = text.replaceAll(/^ +- (\.\.\/)+infrastructure\/(\S+)\n/gm, (line, _, path: string) =>
    path.split('/').some((name) => leave.includes(name)) ? '' : line,
  )
  const more = namespaces.map((name) => `  - ../../../infrastructure/base/namespaces/${name}\n`).join('')
  return rest.replace(/^ +- \S+\/base\/namespaces\/\S+\n/m, (first) => `${more}${first}`)
}

const packageFile = ({ cluster, program }: NewRepository) =>
  `${JSON.stringify({ name: `${cluster.name}-clusters`, private: true, devDependencies: { k8sops: program } }, null, 2)}\n`
