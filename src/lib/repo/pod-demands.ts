/** What is demanded of the containers of a pod, whoever wrote it. */
import { dig, listAt, textAt } from './fields.ts'

/** Requests for CPU and memory, and a memory limit; CPU has no limit on purpose. */
export const isComplete = (resources: unknown): boolean =>
  ['requests.cpu', 'requests.memory', 'limits.memory'].every((path) => textAt(resources, path) !== undefined)

export interface Breach {
  /** List and index of the container in the pod. */
  path: [list: 'containers' | 'initContainers', index: number]
  container: string
  what: string
}

/**
 * https://kubernetes.io/docs/concepts/security/pod-security-standards: what `restricted` asks for beyond `baseline`.
 * @param pod the spec of a pod
 */
export function restrictedBreaches(pod: unknown): Breach[] {
  return (['containers', 'initContainers'] as const).flatMap((list) =>
    listAt(pod, list).flatMap((container, index) => {
      const own = (key: string) => dig(container, `securityContext.${key}`)
      const inherited = (key: string) => own(key) ?? dig(pod, `securityContext.${key}`)
      const dropped = own('capabilities.drop')
      const lacking: [boolean, string][] = [
        [inherited('runAsNonRoot') !== true, 'runAsNonRoot is not true'],
        [!/^(RuntimeDefault|Localhost)$/.test(String(inherited('seccompProfile.type'))), 'has no seccompProfile'],
        [own('allowPrivilegeEscalation') !== false, 'allowPrivilegeEscalation is not false'],
        [!(Array.isArray(dropped) && dropped.includes('ALL')), 'does not drop ALL capabilities'],
      ]
      return lacking.flatMap(([is, what]): Breach[] =>
        is ? [{ path: [list, index], container: textAt(container, 'name') ?? '', what }] : [],
      )
    }),
  )
}
