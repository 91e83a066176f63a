/** The lab administrator's access to its API server, for the parts that stand up the cluster. */
import { readFile } from 'node:fs/promises'
import { createKubePort } from '../kube/client.ts'
import type { KubePort } from '../types.ts'
import { createWriter, type Manifest, WriteError } from './kube/writer.ts'

export interface LabApi {
  reads: KubePort
  /** Server-side apply; ours wins every conflict. Every write throws WriteError. */
  apply(object: Manifest): Promise<void>
  /** `false` when it is there already. */
  create(object: Manifest): Promise<boolean>
  /** Merge patch: only what is given changes, null removes. An object that is gone is left alone. */
  merge(object: Manifest): Promise<void>
}

/**
 * @param kubeconfig path of the administrator's kubeconfig (Lab.adminKubeconfig); must exist
 */
export async function openApi(kubeconfig: string): Promise<LabApi> {
  const { parse } = await import('yaml')
  const { 'current-context': context } = parse(await readFile(kubeconfig, 'utf8')) as { 'current-context': string }
  const target = { kubeconfig, context }
  const writer = createWriter(target)
  return {
    reads: createKubePort(target),
    async apply(object) {
      await writer.apply(object, 'k8sops-lab')
    },
    async create(object) {
      try {
        await writer.create(object)
        return true
      } catch (error) {
        if (error instanceof WriteError && error.status === 409) return false
        throw error
      }
    },
    async merge(object) {
      const { apiVersion, kind, metadata } = object
      const { name, namespace } = metadata
      await writer.patch({ apiVersion, kind, metadata: { name, ...(namespace ? { namespace } : {}) } }, object)
    },
  }
}
