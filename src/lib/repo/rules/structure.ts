// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** What stands where, and how files are called. */
import { basename, dirname, posix } from 'node:path'
import { leaves, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { reachedFiles } from '../reach.ts'
import { declaredIn, filesByPath, isEncrypted, isOperated, isShared, isYaml } from '../source-files.ts'
import type { Rule } from './rule.ts'
import type { RepositoryView } from './view.ts'

export const structureRules: Rule[] = [
  {
    id: 'yaml-wellformed',
    demands: 'Every YAML file can be read',
    why: 'One malformed file stops the Kustomization that contains it, and every one below that',
    fix: 'Correct the syntax at the line that is named',
    source: 'YAML 1.2',
    scope: 'any',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
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
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter((file) => isOperated(file) && isYaml(file))
        .filter(
          (file) =>
            file.errors().length === 0 &&
            file.documents().every((document) => document === null || document === undefined),
        )
        .map(({ path }) => ({ file: path, line: 1, message: 'holds nothing' })),
  },
  {
    id: 'value-there',
    demands: 'A key has a value',
    why: 'A key with nothing behind it has lost what stood below it, or had its last line deleted',
    fix: 'Restore the value, or delete the key; an empty map is {}',
    source: 'YAML 1.2',
    scope: 'house',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter((file) => isOperated(file) && isYaml(file) && !isEncrypted(file))
        .flatMap((file) =>
          file.documents().flatMap((document) =>
            leaves(document)
              .filter(({ path, value }) => value === null && path.length > 0)
              .map(({ path }) => ({
                file: file.path,
                path,
                object: { kind: textAt(document, 'kind') ?? '', name: textAt(document, 'metadata.name') ?? '' },
                message: `${path.join('.')} has no value`,
              })),
          ),
        ),
  },
  {
    id: 'shared-names-no-cluster',
    demands: 'What clusters share names no cluster: no address, network, domain or path of one',
    why: 'The other cluster would get it, too',
    fix: 'Use a ${VARIABLE} of cluster-settings.yaml, or a patch in clusters/<cluster>',
    source: 'design section 2',
    scope: 'house',
    looksAt: 'itself',
    check: sharedNamesNoCluster,
  },
  {
    id: 'confirm-where-it-is-read',
    demands: '# CONFIRM: stands in talconfig.yaml and cluster-settings.yaml only',
    why: 'Elsewhere nobody would ever be asked',
    fix: 'Move the fact into cluster-settings.yaml',
    source: 'docs/prerequisites.md',
    scope: 'house',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
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
    looksAt: 'sources',
    check: unusedFiles,
  },
  {
    id: 'object-stands-once',
    demands: 'No object stands twice for two clusters',
    why: 'Of two copies one is forgotten at the next change',
    fix: 'Move it into infrastructure/ or apps/base, with a ${VARIABLE} or a patch for what differs',
    source: 'NFR23',
    scope: 'house',
    looksAt: 'sources',
    check: twiceForClusters,
  },
  {
    id: 'component-has-runbook',
    demands: 'Every component has a runbook',
    why: 'At night nobody reads the chart',
    fix: 'Write docs/runbooks/<component>.md',
    source: 'NFR24',
    scope: 'house',
    looksAt: 'sources',
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

function sharedNamesNoCluster({ judged, clusters }: RepositoryView): Finding[] {
  const values = clusters.map(({ settings }) => new Set(Object.values(settings)))
  // What all clusters have in common (an S3 endpoint) says nothing about one of them.
  const ofOne = (fact: string) => clusters.length < 2 || !values.every((known) => known.has(fact))
  const facts = clusters.flatMap(({ name, settings }) => [
    `clusters/${name}`,
    ...Object.values(settings).filter((value) => value.length > 5 && /[./]/.test(value)),
  ])
  const shared = judged.filter((file) => isShared(file) || /^bootstrap\/helmfile\.d\//.test(file.path))
  return shared.flatMap(({ path, text }) =>
    [...new Set(facts)]
      .filter((fact) => ofOne(fact) && text.includes(fact))
      .map((fact) => ({ file: path, text: fact, message: `names ${fact}` })),
  )
}

function unusedFiles({ files, clusters }: RepositoryView): Finding[] {
  const byPath = filesByPath(files)
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
