// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** Flux' variables: `${NAME}` in what a Kustomization reads, defined by what it substitutes from. */

import { dirname } from 'node:path'
import { mapAt } from '../fields.ts'
import { type FluxKustomization, nameOf } from '../flux.ts'
import { layout } from '../layout.ts'
import type { Finding } from '../locate.ts'
import { once } from '../once.ts'
import { reachedFiles } from '../reach.ts'
import type { RenderedKustomization } from '../render.ts'
import { filesByPath, type SourceFile } from '../source-files.ts'
import { aboutKustomization, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RepositoryView } from './view.ts'

export const variableRules: Rule[] = [
  {
    id: 'variable-defined',
    demands: 'Every ${VARIABLE} is defined on each cluster that uses it',
    why: 'Flux puts nothing in its place, without a word',
    fix: 'Add it to the cluster’s cluster-settings.yaml; a literal ${ is written $${',
    source: 'design section 8',
    scope: 'any',
    looksAt: 'itself',
    check: undefinedVariables,
  },
  {
    id: 'settings-alike',
    demands: 'A setting that an opt-in component uses is one of every cluster, or of none',
    why: 'An application that takes the component on another cluster gets nothing in its place',
    fix: 'Give every cluster-settings.yaml the name, or have the application set it (postBuild.substitute)',
    source: 'design section 2',
    scope: 'house',
    looksAt: 'sources',
    check: ({ files, clusters }) => {
      const given = clusters.flatMap(({ name }) => {
        const file = files.find(({ path }) => path === layout.settings(name))
        return file ? [{ name, file: file.path, keys: Object.keys(mapAt(file.documents()[0], 'data')) }] : []
      })
      const all = new Set(given.flatMap(({ keys }) => keys))
      const used = files
        .filter(({ path }) => path.startsWith(`${layout.apps}/components/`))
        .flatMap(namesIn)
        .filter((name) => all.has(name))
      return given.flatMap(({ name, file, keys }) =>
        [...new Set(used)]
          .filter((key) => !keys.includes(key))
          .map((key) => ({
            file,
            path: ['data'],
            cluster: name,
            message: `${key} is missing, which a component uses and another cluster's settings have`,
          })),
      )
    },
  },
  {
    id: 'substitute-used',
    demands: 'What a Kustomization substitutes is used by something that it builds',
    why: 'A name that nothing asks for is mostly one that was spelled otherwise there, or of a component that is gone: what was meant keeps its default',
    fix: 'Correct the name in postBuild.substitute, include the component that asks for it, or leave it out',
    source: 'docs/patterns.md',
    scope: 'house',
    looksAt: 'sources',
    check: ({ files, clusters }) => {
      const byPath = filesByPath(files)
      return clusters.flatMap((cluster) =>
        cluster.rendered.flatMap(({ kustomization }) => {
          const names = Object.keys(kustomization.substitute)
          if (names.length === 0 || kustomization.isForeign) return []
          const used = new Set(
            [...reachedFiles(byPath, kustomization.spec)].flatMap((path) => namesIn(byPath.get(path))),
          )
          return names
            .filter((name) => !used.has(name))
            .map((name) => ({
              ...aboutKustomization(kustomization, `nothing uses ${name}`, ['spec', 'postBuild', 'substitute', name]),
              cluster: cluster.name,
            }))
        }),
      )
    },
  },
  {
    id: 'app-is-name',
    demands: 'APP of a Kustomization is its own name, and NAMESPACE one that is made',
    why: 'Alerts, routes and volumes of the opt-in components are called by them; by another name they watch and serve nobody',
    fix: 'postBuild.substitute: {APP: <the name of the ks.yaml>, NAMESPACE: ...}',
    source: 'docs/patterns.md',
    scope: 'house',
    check: each((cluster) => {
      const made = new Set(ofKind(cluster, 'Namespace').map(({ name }) => name))
      return cluster.rendered.flatMap(({ kustomization }) => {
        const { substitute, name } = kustomization
        const says = (key: string) =>
          aboutKustomization(kustomization, `${key} is ${substitute[key]}`, ['spec', 'postBuild', 'substitute', key])
        return [
          ...(substitute.APP === undefined || substitute.APP === name ? [] : [says('APP')]),
          ...(substitute.NAMESPACE === undefined || made.has(substitute.NAMESPACE) || builtIn.has(substitute.NAMESPACE)
            ? []
            : [says('NAMESPACE')]),
        ]
      })
    }),
  },
  {
    id: 'setting-used',
    demands:
      'Every setting of a cluster is used by something that the cluster runs, by an opt-in component, or is compared with talconfig.yaml',
    why: 'A fact that nobody reads is not kept true, and its name hides a typing error in the one that is read',
    fix: 'Delete it, or correct the name where it is used',
    source: 'design section 2',
    scope: 'house',
    looksAt: 'sources',
    check: unusedSettings,
  },
]

const builtIn = new Set(['kube-system', 'default'])

// A `$$` before it is an escape; a default makes it optional.
const variable = /(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)(:?[-=+?])?/g
const namesOf = once(({ text }: SourceFile) => [...text.matchAll(variable)].map(([, name = '']) => name))
const namesIn = (file: SourceFile | undefined): readonly string[] => (file?.text.includes('${') ? namesOf(file) : [])
const disabled = /kustomize\.toolkit\.fluxcd\.io\/substitute:\s*["']?disabled/

/** Of the machines' network: src/lib/config/rules compares them with talconfig.yaml. */
export const ofMachines =
  /^(NODE_CIDR|GATEWAY_IP|VLAN_ID|API_VIP|POD_CIDR|SERVICE_CIDR|CLUSTER_DNS_IP|CLUSTER_(NAME|ID|DOMAIN)|GIT_\w+)$/

function unusedSettings({ files, clusters }: RepositoryView): Finding[] {
  const byPath = filesByPath(files)
  const ofComponents = files.filter(({ path }) => path.startsWith(`${layout.apps}/components/`))
  return clusters.flatMap(({ name, rendered }) => {
    const file = byPath.get(layout.settings(name))
    if (!file) return []
    const reached = new Set(rendered.flatMap(({ kustomization }) => [...reachedFiles(byPath, kustomization.spec)]))
    const used = new Set([...[...reached].flatMap((path) => byPath.get(path) ?? []), ...ofComponents].flatMap(namesIn))
    return Object.keys(mapAt(file.documents()[0], 'data'))
      .filter((key) => !used.has(key) && !ofMachines.test(key))
      .map((key) => ({
        file: file.path,
        path: ['data', key],
        cluster: name,
        message: `nothing on cluster ${name} uses ${key}`,
      }))
  })
}

function undefinedVariables({ files, clusters }: RepositoryView): Finding[] {
  const byPath = filesByPath(files)
  return clusters.flatMap((cluster) =>
    cluster.rendered.flatMap(({ kustomization }) => {
      const defined = definedFor(kustomization, cluster)
      // Flux leaves the text alone when there is not a single variable.
      if (defined === undefined || defined.size === 0) return []
      return [...reachedFiles(byPath, kustomization.spec)].flatMap((path) => {
        const file = byPath.get(path)
        if (!file?.text.includes('${') || disabled.test(file.text) || isGeneratedVerbatim(path, byPath)) return []
        return neededIn(file)
          .filter(({ name }) => !defined.has(name))
          .map(({ name, line }) => ({
            file: path,
            line,
            cluster: cluster.name,
            message: `\${${name}} is not defined for Kustomization ${kustomization.name}`,
            owners: [nameOf(kustomization)],
          }))
      })
    }),
  )
}

/** Variables without a default, once for each line that is no comment. */
const neededIn = once(({ text }: SourceFile) =>
  text.split('\n').flatMap((line, index) => {
    if (!line.includes('${') || /^\s*#/.test(line)) return []
    const names = [...line.matchAll(variable)].filter(([, , operator]) => !operator).map(([, name = '']) => name)
    return [...new Set(names)].map((name) => ({ name, line: index + 1 }))
  }),
)

/** What a generator takes in, of a kustomization.yaml that has its generated objects left alone. */
function isGeneratedVerbatim(path: string, files: ReadonlyMap<string, SourceFile>): boolean {
  if (/^apiVersion:/m.test(files.get(path)?.text ?? '')) return false
  for (let directory = dirname(path); directory !== '.'; directory = dirname(directory)) {
    const own = files.get(`${directory}/kustomization.yaml`)
    if (own) return disabled.test(own.text)
  }
  return false
}

const configMapsIn = once((rendered: readonly RenderedKustomization[]) =>
  rendered.flatMap(({ manifests }) =>
    manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ object }) => object()),
  ),
)

/** Names, or undefined when a source is a Secret, whose keys only the cluster knows. */
function definedFor(kustomization: FluxKustomization, { rendered, settings }: ClusterView): Set<string> | undefined {
  const names = new Set(Object.keys(kustomization.substitute))
  for (const { kind, name } of kustomization.substituteFrom) {
    if (kind !== 'ConfigMap') return undefined
    const source = configMapsIn(rendered).find(
      ({ metadata }) =>
        metadata.name === name && (metadata.namespace ?? kustomization.namespace) === kustomization.namespace,
    )
    const data = source?.data ?? (name === layout.settingsName ? settings : {})
    for (const key of Object.keys(data)) names.add(key)
  }
  return names
}
