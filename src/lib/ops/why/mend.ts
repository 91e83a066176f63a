/** What to do about a broken link, and the last commit that touched it. */
import type { Git } from '../../config/source.ts'
import { declaredIn, readSourceFiles } from '../../repo/source-files.ts'
import type { BreakClass, Link } from './link.ts'

type Fix = (link: { kind: string; namespace: string; name: string; cluster: string }) => string

const describe: Fix = ({ kind, namespace, name }) =>
  `kubectl ${namespace ? `-n ${namespace} ` : ''}describe ${kind.toLowerCase()} ${name}`
const reconcile: Fix = ({ name, cluster }) => `k8sops flux reconcile ${name} --with-source --cluster ${cluster}`
const refresh: Fix = ({ namespace, name }) =>
  `kubectl -n ${namespace} annotate externalsecret ${name} force-sync=$(date +%s) --overwrite`
const inGit =
  (what: string): Fix =>
  ({ name, cluster }) =>
    `correct it in Git (${what}), then k8sops validate --cluster ${cluster} and k8sops flux reconcile ${name} --with-source --cluster ${cluster}`

const fixes: Record<BreakClass, Fix> = {
  'not-applied': ({ cluster }) => `k8sops flux reconcile flux-system --with-source --cluster ${cluster}`,
  suspended: ({ kind, name, cluster }) =>
    /^(Kustomization|HelmRelease)$/.test(kind)
      ? `k8sops flux resume ${name} --cluster ${cluster}`
      : `flux resume source ${kind.replace('Repository', '').toLowerCase()} ${name}`,
  'dependency-missing': ({ name, cluster }) =>
    `give the cluster ${name}, or take it out of dependsOn: k8sops graph --cluster ${cluster}`,
  'dependency-cycle': ({ cluster }) => `k8sops graph --cluster ${cluster}, and take one of the dependsOn out`,
  'controller-down': describe,
  'source-missing': ({ name, cluster }) =>
    `give it back in Git: k8sops validate --cluster ${cluster} finds who names ${name}`,
  'source-failed': ({ kind, namespace, name }) =>
    `flux -n ${namespace} reconcile source ${kind.replace('Repository', '').toLowerCase()} ${name}`,
  'chart-failed': ({ namespace, name, kind }) =>
    `correct its tag or version in Git; then flux -n ${namespace} reconcile source ${kind === 'HelmChart' ? 'chart' : kind.replace('Repository', '').toLowerCase()} ${name}`,
  'settings-missing': ({ namespace, name }) =>
    `kubectl -n ${namespace} get configmap ${name}; k8sops validate finds who names it`,
  'secret-missing': ({ namespace, name }) =>
    `give it an ExternalSecret, or see docs/prerequisites.md: kubectl -n ${namespace} get secret ${name}`,
  'external-secret-failed': refresh,
  'store-missing': ({ cluster }) => `k8sops flux status onepassword-store --cluster ${cluster}`,
  'store-failed': ({ kind, name }) =>
    `kubectl describe ${kind.toLowerCase()} ${name}; docs/runbooks/onepassword-store.md`,
  'build-failed': inGit('the message names the file'),
  'apply-failed': inGit('the message names the object'),
  'release-failed': ({ name, cluster }) =>
    `correct its values in Git, then k8sops flux reconcile ${name} --reset --cluster ${cluster}`,
  'health-failed': reconcile,
  'pods-refused': ({ namespace }) =>
    `kubectl -n ${namespace} get resourcequota,limitrange; kubectl -n ${namespace} get events`,
  'pod-unschedulable': describe,
  'volume-pending': describe,
  'image-failed': describe,
  'container-crashed': ({ namespace, name }) => `kubectl -n ${namespace} logs ${name} --previous`,
  'container-misconfigured': describe,
  'pod-not-ready': ({ namespace, name }) => `kubectl -n ${namespace} logs ${name}`,
  'node-not-ready': ({ name, cluster }) =>
    `k8sops talos health --cluster ${cluster}; k8sops node reboot ${name} --cluster ${cluster}`,
  'machine-service-down': ({ name, cluster }) =>
    `k8sops talos health --cluster ${cluster}; k8sops node reboot ${name} --cluster ${cluster}`,
}

/** @returns a command, or a sentence with one in it */
export function fixFor(link: Link, cluster: string): string {
  const [kind = '', ...rest] = link.object.split('/')
  const [namespace, name] = rest.length > 1 ? rest : ['', rest[0]]
  return fixes[link.class]({ kind, namespace: namespace ?? '', name: name ?? '', cluster })
}

export interface Touched {
  file: string
  commit: string
  /** RFC 3339. */
  at: string
  author: string
  subject: string
}

/**
 * The last commit of the files that declare the nearest object on the way, beginning with the broken one: a pod stands in no file, but
 * the HelmRelease above it does.
 */
export async function lastCommitOf(git: Git, root: string, path: string[]): Promise<Touched | undefined> {
  const files = readSourceFiles(root, ['kubernetes']).flatMap((file) =>
    declaredIn(file).map((one) => ({ ...one, file: file.path })),
  )
  for (const id of path.toReversed()) {
    const [kind = '', ...rest] = id.split('/')
    const name = rest.at(-1)
    const namespace = rest.length > 1 ? rest[0] : undefined
    const found = files.find(
      (one) =>
        one.kind === kind &&
        one.name === name &&
        (one.namespace === undefined || namespace === undefined || one.namespace === namespace),
    )
    if (!found) continue
    const log = await git(['log', '-1', '--format=%h%x00%cI%x00%an%x00%s', '--', found.file])
    const [commit, at = '', author = '', subject = ''] = log.stdout.trim().split('\0')
    if (log.exitCode === 0 && commit) return { file: found.file, commit, at, author, subject }
  }
  return undefined
}
