// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** Flux' variables: `${NAME}` in what a Kustomization reads, defined by what it substitutes from. */

import { dirname } from 'node:path'
import type { FluxKustomization } from '../flux.ts'
import { layout } from '../layout.ts'
import type { Finding } from '../locate.ts'
import { reachedFiles } from '../reach.ts'
import type { SourceFile } from '../source-files.ts'
import type { Rule } from './rule.ts'
import type { ClusterView, RepositoryView } from './view.ts'

export const variableRules: Rule[] = [
  {
    id: 'variable-defined',
    demands: 'Every ${VARIABLE} is defined on each cluster that uses it',
    why: 'Flux puts nothing in its place, without a word',
    fix: 'Add it to the cluster’s cluster-settings.yaml; a literal ${ is written $${',
    source: 'design section 8',
    scope: 'any',
    check: undefinedVariables,
  },
]

// A `$$` before it is an escape; a default makes it optional.
const variable = /(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)(:?[-=+?])?/g
const disabled = /kustomize\.toolkit\.fluxcd\.io\/substitute:\s*["']?disabled/

function undefinedVariables({ files, clusters }: RepositoryView): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  return clusters.flatMap((cluster) =>
    cluster.rendered.flatMap(({ kustomization }) => {
      const defined = definedFor(kustomization, cluster)
      // Flux leaves the text alone when there is not a single variable.
      if (defined === undefined || defined.size === 0) return []
      return [...reachedFiles(byPath, kustomization.spec)].flatMap((path) => {
        const text = byPath.get(path)?.text ?? ''
        if (!text.includes('${') || disabled.test(text) || isGeneratedVerbatim(path, byPath)) return []
        return text.split('\n').flatMap((line, index): Finding[] => {
          if (/^\s*#/.test(line)) return []
          const names = [...line.matchAll(variable)].filter(([, , operator]) => !operator).map(([, name = '']) => name)
          return [...new Set(names)]
            .filter((name) => !defined.has(name))
            .map((name) => ({
              file: path,
              line: index + 1,
              cluster: cluster.name,
              message: `\${${name}} is not defined for Kustomization ${kustomization.name}`,
            }))
        })
      })
    }),
  )
}

/** What a generator takes in, of a kustomization.yaml that has its generated objects left alone. */
function isGeneratedVerbatim(path: string, files: ReadonlyMap<string, SourceFile>): boolean {
  if (/^apiVersion:/m.test(files.get(path)?.text ?? '')) return false
  for (let directory = dirname(path); directory !== '.'; directory = dirname(directory)) {
    const own = files.get(`${directory}/kustomization.yaml`)
    if (own) return disabled.test(own.text)
  }
  return false
}

/** Names, or undefined when a source is a Secret, whose keys only the cluster knows. */
function definedFor(kustomization: FluxKustomization, { rendered, settings }: ClusterView): Set<string> | undefined {
  const names = new Set(Object.keys(kustomization.substitute))
  for (const { kind, name } of kustomization.substituteFrom) {
    if (kind !== 'ConfigMap') return undefined
    const source = rendered
      .flatMap(({ manifests }) => manifests)
      .filter((one) => one.kind === 'ConfigMap')
      .map((one) => one.object())
      .find(
        ({ metadata }) =>
          metadata.name === name && (metadata.namespace ?? kustomization.namespace) === kustomization.namespace,
      )
    const data = source?.data ?? (name === layout.settingsName ? settings : {})
    for (const key of Object.keys(data)) names.add(key)
  }
  return names
}
