/** The runbook of a new application, and the row that leads to it. Pure. */
import { layout } from './layout.ts'
import type { NewApplication } from './new-application.ts'

/** The row that leads to its runbook. */
export const runbookRow = ({ name }: NewApplication): string => `| ${name} is away or slow | [${name}](${name}.md) |`

/** @returns its text */
export function newRunbook(choice: NewApplication): string {
  const { name, namespace, cluster, runs, volume, database, secret, route } = choice
  const isChart = 'release' in runs
  const what = isChart ? `Chart \`${runs.release.url}\` ${runs.release.version}` : `\`${runs.image}\``
  // What helm labels; a chart may call its pods as it likes.
  const pods = `app.kubernetes.io/${isChart ? 'instance' : 'name'}=${name}`
  const isUp = isChart
    ? `kubectl -n ${namespace} wait helmrelease/${name} --for=condition=Ready --timeout=5m`
    : `kubectl -n ${namespace} rollout status deployment/${name} --timeout=5m`
  const fields = [
    ...(database ? ['`postgres-password`'] : []),
    ...(secret ? ['what it reads from its environment'] : []),
  ]
  const needs = [
    ...(fields.length > 0 ? [`1Password: item \`${name}\` with ${fields.join(' and ')}.`] : []),
    ...(volume === undefined ? [] : [`Bucket \`volsync-${name}\` (docs/prerequisites.md, 7).`]),
    ...(database ? ['[postgres](postgres.md) is Ready.'] : []),
    ...(route ? ['[envoy-gateway-config](envoy-gateway-config.md) is Ready.'] : []),
  ]
  const undo = [
    '`git revert` for the manifests.',
    ...(volume === undefined ? [] : [`The volume comes back from its backup: [volsync](volsync.md).`]),
    ...(database ? ['The database: [postgres](postgres.md).'] : []),
  ]
  return `# ${name}

${what} in namespace \`${namespace}\`, on ${cluster}. Base \`${layout.appBases}/${name}\`, the overlay in \`${layout.clusterApps(cluster)}/${namespace}/${name}\`.

## When
${name} is away or slow.

## Preconditions
${needs.join(' ') || 'None.'}

## Command
\`\`\`bash
k8sops why ${name} --cluster ${cluster}
kubectl -n ${namespace} get pods -l ${pods}
\`\`\`

## What you see
${isChart ? 'Its pods Running.' : 'One pod Running.'}

## If it stops
- The pod restarts: \`k8sops logs ${name}\` has what it said last; \`OOMKilled\`: raise the memory limit in its base.
- The Kustomization is not Ready: \`k8sops why ${name}\` names the first broken link.

## Undo
${undo.join(' ')}

## Verify
\`\`\`bash
${isUp}
kubectl -n flux-system wait kustomization/${name} --for=condition=Ready --timeout=2m
\`\`\`
`
}
