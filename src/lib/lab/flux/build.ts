/** Renders a FluxInstance with the real kustomize, so that the instance's own patches work, or fail, as they do there. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sha256 } from '../charts/index.ts'
import type { Manifest } from '../kube/writer.ts'
import { type Component, distributionObjects, type FluxInstanceSpec, resolveDistribution } from './distribution.ts'

const run = promisify(execFile)

export interface BuiltDistribution {
  version: string
  /** `v2.9.5@sha256:...` over what was rendered. */
  revision: string
  components: Component[]
  objects: Manifest[]
}

/**
 * @param kustomize path of the binary
 * @param directory where the kustomization is written
 * @param unschedulable gives source-controller a node selector that no node has (fault `flux-never-ready`)
 * Throws Error in kustomize's or flux-operator's words.
 */
export async function buildDistribution(
  instance: { name: string; namespace: string; spec: FluxInstanceSpec },
  kustomize: string,
  directory: string,
  unschedulable?: string,
): Promise<BuiltDistribution> {
  const { namespace, spec } = instance
  const { version, components } = await resolveDistribution(spec)
  const objects = distributionObjects(namespace, spec, components)
  const owned = {
    'app.kubernetes.io/managed-by': 'flux-operator',
    'app.kubernetes.io/instance': namespace,
    'app.kubernetes.io/version': version,
    'fluxcd.controlplane.io/name': instance.name,
    'fluxcd.controlplane.io/namespace': namespace,
    ...spec.commonMetadata?.labels,
  }
  const selectNodes = (target: { kind: string; name?: string }, value: Record<string, string>) => ({
    target,
    patch: JSON.stringify([{ op: 'add', path: '/spec/template/spec/nodeSelector', value }]),
  })
  const linux = { 'kubernetes.io/os': 'linux' }
  const held = unschedulable
    ? [
        selectNodes(
          { kind: 'Deployment', name: 'source-controller' },
          { ...linux, 'lab.k8sops.dev/fault': unschedulable },
        ),
      ]
    : []
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'objects.yaml'), objects.map((object) => JSON.stringify(object)).join('\n---\n'))
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: ['objects.yaml'],
    labels: [{ pairs: owned, includeSelectors: false }],
    ...(spec.commonMetadata?.annotations ? { commonAnnotations: spec.commonMetadata.annotations } : {}),
    patches: [selectNodes({ kind: 'Deployment' }, linux), ...held, ...(spec.kustomize?.patches ?? [])],
  }
  await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization))
  const { stdout } = await run(kustomize, ['build', directory], { maxBuffer: 16 * 1024 * 1024 }).catch(
    (error: Error & { stderr?: string }) => {
      throw new Error(error.stderr?.trim() || error.message)
    },
  )
  const { parseAllDocuments } = await import('yaml')
  const rendered = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)
  return { version, components, objects: rendered, revision: `${version}@${sha256(stdout)}` }
}
