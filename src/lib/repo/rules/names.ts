/** How files and what they hold are called. */
import { basename, dirname } from 'node:path'
import { declaredIn, isEncrypted, isOperated, isYaml, type SourceFile } from '../source-files.ts'
import type { Rule } from './rule.ts'

const patterns = 'docs/patterns.md'

export const nameRules: Rule[] = [
  {
    id: 'yaml-extension',
    demands: 'YAML files end in .yaml',
    why: 'Rules, Renovate and sops look for that ending; a .yml escapes them',
    fix: 'git mv FILE.yml FILE.yaml',
    source: 'NFR25',
    scope: 'house',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
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
    looksAt: 'itself',
    // Talos patches are fragments of several documents, for which there is no schema.
    check: ({ judged }) =>
      judged
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
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter((file) => file.path.startsWith('kubernetes/') && isYaml(file) && !isEncrypted(file))
        .filter(({ path }) => !ownNames.test(path))
        .flatMap((file) => {
          const wrong = wrongName(file)
          return wrong ? [{ file: file.path, line: 1, message: wrong }] : []
        }),
  },
  {
    id: 'file-named-after-object',
    demands: 'A manifest called <kind>-<name>.yaml holds the object of that name',
    why: 'Whoever looks for an object by its name finds it without a search',
    fix: 'Rename the file or the object',
    source: 'NFR25',
    scope: 'house',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter((file) => /^kubernetes\/.*\/app\/|\/base\//.test(file.path) && isYaml(file) && !isEncrypted(file))
        .flatMap((file) => {
          const [only, more] = declaredIn(file)
          const called = basename(file.path, '.yaml')
          const prefix = `${only?.kind.toLowerCase()}-`
          // A patch for all of a kind has no name of its own.
          if (!only || more || !called.startsWith(prefix) || only.name === 'ignored') return []
          if (!/^[a-z0-9-]+$/.test(only.name ?? '')) return []
          const wanted = called.slice(prefix.length)
          if (only.name === wanted) return []
          return [
            { file: file.path, text: 'name:', message: `${only.kind} ${only.name} stands in a file for ${wanted}` },
          ]
        }),
  },
  {
    id: 'directory-is-name',
    demands: 'ks.yaml and namespace.yaml stand in a directory of their object’s name',
    why: 'Folder, Kustomization and release are one word, in every command and every path',
    fix: 'Rename the directory or the object',
    source: 'NFR25',
    scope: 'house',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
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
    looksAt: 'itself',
    check: ({ judged }) =>
      judged.flatMap((file) => {
        const match = /^kubernetes\/infrastructure\/controllers\/([^/]+)\/([^/]+)\/.*helmrelease\.yaml$/.exec(file.path)
        const [, namespace, component] = match ?? []
        const [only, more] = match ? declaredIn(file) : []
        if (!only || more || (only.name === component && (only.namespace ?? namespace) === namespace)) return []
        const is = `${only.namespace ?? ''}/${only.name}`
        return [{ file: file.path, text: 'name:', message: `HelmRelease ${is} stands in ${namespace}/${component}` }]
      }),
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
