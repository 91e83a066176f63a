// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** What stands where, and how files are called. */
import { basename, dirname, posix } from 'node:path'
import type { Finding } from '../locate.ts'
import { reachedFiles } from '../reach.ts'
import { declaredIn, isEncrypted, isOperated, isShared, isYaml, type SourceFile } from '../source-files.ts'
import type { Rule } from './rule.ts'
import type { RepositoryView } from './view.ts'

const patterns = 'docs/patterns.md'

export const structureRules: Rule[] = [
  {
    id: 'yaml-wellformed',
    demands: 'Every YAML file can be read',
    why: 'One malformed file stops the Kustomization that contains it, and every one below that',
    fix: 'Correct the syntax at the line that is named',
    source: 'YAML 1.2',
    scope: 'any',
    check: ({ files }) =>
      files
        .filter((file) => (isOperated(file) || file.path.startsWith('.github/')) && isYaml(file))
        .flatMap((file) =>
          file.errors().map(({ line, message }) => ({ file: file.path, line, message: `malformed YAML: ${message}` })),
        ),
  },
  {
    id: 'file-not-empty',
    demands: 'A YAML file holds something',
    why: 'What was in it is gone, and whoever includes it does not notice',
    fix: 'Restore it, or delete the file and what names it',
    source: 'design section 8',
    scope: 'house',
    check: ({ files }) =>
      files
        .filter((file) => isOperated(file) && isYaml(file))
        .filter(
          (file) =>
            file.errors().length === 0 &&
            file.documents().every((document) => document === null || document === undefined),
        )
        .map(({ path }) => ({ file: path, line: 1, message: 'holds nothing' })),
  },
  {
    id: 'yaml-extension',
    demands: 'YAML files end in .yaml',
    why: 'Rules, Renovate and sops look for that ending; a .yml escapes them',
    fix: 'git mv FILE.yml FILE.yaml',
    source: 'NFR25',
    scope: 'house',
    check: ({ files }) =>
      files
        .filter((file) => isOperated(file) && file.path.endsWith('.yml'))
        .map(({ path }) => ({ file: path, line: 1, message: `${basename(path)} ends in .yml` })),
  },
  {
    id: 'schema-comment',
    demands: 'The first line of a file names its schema',
    why: 'Editors then show a wrong key while it is typed',
    fix: '# yaml-language-server: $schema=URL',
    source: 'design section 8',
    scope: 'house',
    // Talos patches are fragments of several documents, for which there is no schema.
    check: ({ files }) =>
      files
        .filter((file) => isOperated(file) && isYaml(file) && !isEncrypted(file))
        .filter(({ path, text }) => !path.startsWith('talos/patches/') && !schemaComment.test(text))
        .map(({ path }) => ({ file: path, line: 1, message: 'the first line is no schema comment' })),
  },
  {
    id: 'file-named-after-kind',
    demands: 'A manifest is called after the kind that it holds, and holds one kind',
    why: 'Whoever looks for a HelmRelease finds it without a search',
    fix: 'Rename it to <kind in lower case>.yaml (ks.yaml for a Flux Kustomization), or split it',
    source: 'NFR25',
    scope: 'house',
    check: ({ files }) =>
      files
        .filter((file) => file.path.startsWith('kubernetes/') && isYaml(file) && !isEncrypted(file))
        .filter(({ path }) => !ownNames.test(path))
        .flatMap((file) => {
          const wrong = wrongName(file)
          return wrong ? [{ file: file.path, line: 1, message: wrong }] : []
        }),
  },
  {
    id: 'directory-is-name',
    demands: 'ks.yaml and namespace.yaml stand in a directory of their object’s name',
    why: 'Folder, Kustomization and release are one word, in every command and every path',
    fix: 'Rename the directory or the object',
    source: 'NFR25',
    scope: 'house',
    check: ({ files }) =>
      files
        .filter(({ path }) => /^kubernetes\/.*\/(ks|namespace)\.yaml$/.test(path))
        .flatMap((file) => {
          const names = declaredIn(file).map(({ name }) => name ?? '')
          const directory = basename(dirname(file.path))
          // A component may bring several Kustomizations; one of them has its name.
          if (names.includes(directory)) return []
          return [
            { file: file.path, text: 'name:', message: `declares ${names.join(', ') || 'nothing'}, not ${directory}` },
          ]
        }),
  },
  {
    id: 'release-is-directory',
    demands: 'A component’s HelmRelease has the name of the component’s folder, in the namespace of the folder above',
    why: 'Folder, Kustomization and release are one word, in every command and every path',
    fix: `Rename the release or the folder (${patterns}, names)`,
    source: 'NFR25',
    scope: 'house',
    check: ({ files }) =>
      files.flatMap((file) => {
        const match = /^kubernetes\/infrastructure\/controllers\/([^/]+)\/([^/]+)\/.*helmrelease\.yaml$/.exec(file.path)
        const [, namespace, component] = match ?? []
        const [only, more] = match ? declaredIn(file) : []
        if (!only || more || (only.name === component && (only.namespace ?? namespace) === namespace)) return []
        const is = `${only.namespace ?? ''}/${only.name}`
        return [{ file: file.path, text: 'name:', message: `HelmRelease ${is} stands in ${namespace}/${component}` }]
      }),
  },
  {
    id: 'shared-names-no-cluster',
    demands: 'What clusters share names no cluster: no address, network, domain or path of one',
    why: 'The other cluster would get it, too',
    fix: 'Use a ${VARIABLE} of cluster-settings.yaml, or a patch in clusters/<cluster>',
    source: 'design section 2',
    scope: 'house',
    check: sharedNamesNoCluster,
  },
  {
    id: 'confirm-where-it-is-read',
    demands: '# CONFIRM: stands in talconfig.yaml and cluster-settings.yaml only',
    why: 'Elsewhere nobody would ever be asked',
    fix: 'Move the fact into cluster-settings.yaml',
    source: 'docs/prerequisites.md',
    scope: 'house',
    check: ({ files }) =>
      files
        .filter((file) => isOperated(file) && !/(talconfig|cluster-settings)\.yaml$/.test(file.path))
        .filter(({ text }) => /(^|\s)#\s*CONFIRM:/m.test(text))
        .map(({ path }) => ({ file: path, text: 'CONFIRM:', message: 'a CONFIRM mark that nothing reads' })),
  },
  {
    id: 'file-is-used',
    demands: 'Every file is used by some cluster, or is part of an opt-in component',
    why: 'What nothing uses is maintained in vain, or was meant to be used',
    fix: 'List it in a kustomization.yaml, or delete it',
    source: 'design section 8',
    scope: 'house',
    check: unusedFiles,
  },
  {
    id: 'object-stands-once',
    demands: 'No object stands twice for two clusters',
    why: 'Of two copies one is forgotten at the next change',
    fix: 'Move it into infrastructure/ or apps/base, with a ${VARIABLE} or a patch for what differs',
    source: 'NFR23',
    scope: 'house',
    check: twiceForClusters,
  },
  {
    id: 'component-has-runbook',
    demands: 'Every component has a runbook',
    why: 'At night nobody reads the chart',
    fix: 'Write docs/runbooks/<component>.md',
    source: 'NFR24',
    scope: 'house',
    check: ({ files }) => {
      const paths = new Set(files.map(({ path }) => path))
      return [...paths]
        .filter((path) => /^kubernetes\/(infrastructure|apps)\/.*\/ks\.yaml$/.test(path))
        .map((path) => ({ path, component: basename(dirname(path)) }))
        .filter(({ component }) => !paths.has(`docs/runbooks/${component}.md`))
        .map(({ path, component }) => ({ file: path, line: 1, message: `docs/runbooks/${component}.md is missing` }))
    },
  },
]

const schemaComment = /^# yaml-language-server: \$schema=\S+\r?\n/

/** Names that say more than their kind would. Everything else is called after its kind. */
const ownNames = /^kubernetes\/clusters\/[^/]+\/(cluster-settings|flux\/(infrastructure|apps))\.yaml$/

function wrongName(file: SourceFile): string | undefined {
  const objects = declaredIn(file)
  const kinds = [...new Set(objects.map(expectedName))]
  const [kind] = kinds
  if (kind === undefined) return 'holds no Kubernetes object'
  if (kinds.length > 1) return `holds ${kinds.join(' and ')}`
  const name = basename(file.path, '.yaml')
  // A patch of a kind may stand beside it as `<kind>-<what>.yaml`, several objects as `<kind>s.yaml`.
  const expected = objects.length > 1 ? plural(kind) : kind
  if (name === expected || name.startsWith(`${objects[0]?.kind.toLowerCase()}-`)) return undefined
  return `should be ${expected}.yaml`
}

const plural = (kind: string) =>
  kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : kind.endsWith('s') ? `${kind}es` : `${kind}s`

const expectedName = ({ apiVersion, kind }: { apiVersion: string; kind: string }) => {
  if (kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')) return 'ks'
  return kind === 'Component' ? 'kustomization' : kind.toLowerCase()
}

function sharedNamesNoCluster({ files, clusters }: RepositoryView): Finding[] {
  const values = clusters.map(({ settings }) => new Set(Object.values(settings)))
  // What all clusters have in common (an S3 endpoint) says nothing about one of them.
  const ofOne = (fact: string) => clusters.length < 2 || !values.every((known) => known.has(fact))
  const facts = clusters.flatMap(({ name, settings }) => [
    `clusters/${name}`,
    ...Object.values(settings).filter((value) => value.length > 5 && /[./]/.test(value)),
  ])
  const shared = files.filter((file) => isShared(file) || /^bootstrap\/helmfile\.d\//.test(file.path))
  return shared.flatMap(({ path, text }) =>
    [...new Set(facts)]
      .filter((fact) => ofOne(fact) && text.includes(fact))
      .map((fact) => ({ file: path, text: fact, message: `names ${fact}` })),
  )
}

function unusedFiles({ files, clusters }: RepositoryView): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = new Set(
    clusters.flatMap(({ rendered }) =>
      rendered.flatMap(({ kustomization }) => [...reachedFiles(byPath, kustomization.spec)]),
    ),
  )
  // A component is there to be included; whether somebody does so yet is no matter, whether its files belong to it is.
  for (const { path } of files) {
    if (!/^kubernetes\/apps\/components\/.*\/kustomization\.yaml$/.test(path)) continue
    for (const file of reachedFiles(byPath, { path: dirname(path) })) reached.add(file)
  }
  const patches = files
    .filter(({ path }) => /^talos\/.*talconfig\.yaml$/.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/"?@([^"\s]+)"?/g)].map((match) => posix.normalize(posix.join(dirname(path), match[1] ?? ''))),
    )
  return files
    .filter(({ path }) => path.startsWith('kubernetes/') || path.startsWith('talos/patches/'))
    .filter(({ path }) => !reached.has(path) && !patches.includes(path))
    .map(({ path }) => ({ file: path, line: 1, message: 'nothing uses it' }))
}

/** Flux's entry and a cluster's own list of what it runs are the two things that each cluster has by design. */
const ownOfCluster = /\/(cluster-settings|kustomization|ks)\.yaml$|\/flux\/|\.sops\.yaml$/

function twiceForClusters({ files, clusters }: RepositoryView): Finding[] {
  const first = new Map<string, { path: string; cluster: string }>()
  const findings: Finding[] = []
  for (const file of files) {
    const cluster = clusters.find(({ name }) => file.path.startsWith(`kubernetes/clusters/${name}/`))?.name
    if (!cluster || ownOfCluster.test(file.path)) continue
    for (const { kind, name, namespace, text } of declaredIn(file)) {
      const key = JSON.stringify([
        kind,
        namespace,
        name,
        text.replace(/^\s*#.*\n/gm, '').replaceAll(cluster, '<cluster>'),
      ])
      const earlier = first.get(key)
      if (!earlier) first.set(key, { path: file.path, cluster })
      else if (earlier.cluster !== cluster)
        findings.push({
          file: file.path,
          text: `name: ${name}`,
          message: `${kind} ${name} also stands in ${earlier.path}`,
        })
    }
  }
  return findings
}
