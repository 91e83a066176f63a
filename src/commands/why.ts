import { completeApp } from '../lib/cli/app-option.ts'
import { defineCommand } from '../lib/cli/define.ts'
import { exitCodes, UnreachableError } from '../lib/errors.ts'
import { type FluxView, fluxRef, fluxView, idOf } from '../lib/ops/flux-view.ts'
import { breakClasses, type Link } from '../lib/ops/why/link.ts'
import { fixFor, lastCommitOf, type Touched } from '../lib/ops/why/mend.ts'
import { answerWalk } from '../lib/ops/why/read.ts'
import { whyApp } from '../lib/ops/why/walk.ts'
import { quietGit } from '../lib/repo/revision.ts'
import { declaredIn, readSourceFiles } from '../lib/repo/source-files.ts'
import type { Json, KubePort } from '../lib/types.ts'

export const why = defineCommand({
  path: 'why',
  summary: 'Tell why an application is not well: the first broken link below it',
  description:
    'Walks from its Kustomization and HelmReleases over dependencies, sources, secrets, stores, pods and nodes down to the services of the machine, and tells the first broken link in its own words, since when, the last commit that touched it and what mends it. Exit code 3 when there is one, 0 when all of it is well. The class in -o json is stable.',
  effect: 'read',
  scope: 'cluster',
  completeArgs: completeApp,
  args: { app: 'application: a Kustomization or HelmRelease' },
  examples: ['k8sops why coredns --cluster apps', 'k8sops why arsipq --cluster apps -o json'],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const [{ app = '' }, { signal, note }] = [context.args, context]
    const [cluster, target, kube] = await Promise.all([context.cluster(), context.target(), context.kube()])
    const unread: { what: string; detail: string }[] = []
    const declared = isDeclared(target.root, cluster.name, app)
    const walk = () =>
      answerWalk(whyApp(app, declared), {
        kube,
        talos: context.talos,
        nodes: cluster.nodes,
        signal,
        onUnread: (what, detail) => {
          if (/^(Kustomization|HelmRelease)$/.test(what))
            throw new UnreachableError(`Flux of ${cluster.name} can't be read`, { output: detail })
          unread.push({ what, detail })
          note(`${what} can't be read: ${detail}`)
        },
      })
    let outcome = await walk()
    if (outcome.pending.length > 0) {
      note(`Flux is working on ${outcome.pending.map(idOf).join(', ')}`)
      await untilAnswered(kube, outcome.pending, signal)
      outcome = await walk()
    }
    const { found, pending } = outcome
    const fields = { cluster: cluster.name, app, unread, pending: pending.map(idOf) }
    if (!found) {
      const open =
        pending.length > 0 ? `, as far as it goes: Flux is still working on ${pending.map(idOf).join(', ')}` : ''
      return { kind: 'Why', text: `nothing is broken below ${app}${open}`, fields: { ...fields, broken: null } }
    }
    const { link, path } = found
    const commit = await lastCommitOf(quietGit(target.root, signal), target.root, path)
    const fix = fixFor(link, cluster.name)
    const broken: Json = { ...link, path, commit: commit ? { ...commit } : null, fix }
    return {
      kind: 'Why',
      text: textOf(link, path, commit, fix),
      fields: { ...fields, broken },
      exitCode: exitCodes.gate,
    }
  },
})

/** What is tried again and again says that it failed only in between. */
const answerMs = 10_000

/** Until Flux has said yes or no to each of them, or time is up. */
async function untilAnswered(kube: KubePort, pending: FluxView[], signal: AbortSignal): Promise<void> {
  await Promise.all(
    pending.map(async ({ kind, namespace, name }) => {
      const answered = new AbortController()
      const limit = AbortSignal.any([signal, answered.signal, AbortSignal.timeout(answerMs)])
      await kube.watch({ ...fluxRef(kind), namespace, name }, limit, (read) => {
        if (read.ok && read.value.every((object) => fluxView(object).state !== 'progressing')) answered.abort()
      })
    }),
  )
}

/** Whether Git gives the cluster a Kustomization of that name. */
function isDeclared(root: string, cluster: string, app: string): boolean {
  return readSourceFiles(root, ['kubernetes/infrastructure', 'kubernetes/apps', `kubernetes/clusters/${cluster}`]).some(
    (file) =>
      declaredIn(file).some(
        ({ apiVersion, kind, name }) =>
          kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/') && name === app,
      ),
  )
}

function textOf(link: Link, path: string[], commit: Touched | undefined, fix: string): string {
  const field = (name: string, value: string) => `${name.padEnd(8)}${value}`
  return [
    `${link.object}: ${breakClasses[link.class]}`,
    ...link.message.split('\n').map((line) => `  ${line}`),
    field('class', link.class),
    ...(link.since ? [field('since', link.since)] : []),
    field('way', path.join(' -> ')),
    ...(commit
      ? [field('commit', `${commit.commit} ${commit.subject} (${commit.author}, ${commit.at}, ${commit.file})`)]
      : []),
    field('fix', fix),
  ].join('\n')
}
