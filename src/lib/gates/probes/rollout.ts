/** Probes of branches of the remote, and of what other clusters run. */
import type { KubeObject, KubePort, Verdict } from '../../types.ts'
import { valueAt } from '../conditions.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

type RolloutProbe =
  | 'attested'
  | 'check-on-commit'
  | 'branch-advances'
  | 'branch-at'
  | 'commit-live'
  | 'rollout-unwritten'

const remote = 'origin'
const notesRef = 'refs/notes/k8sops-rollout'
const record = { namespace: 'flux-system', name: 'k8sops-rollout' }
const short = (commit: string) => commit.slice(0, 9)

export function rolloutProbes(ports: GatePorts, kube: KubePort): Record<RolloutProbe, Probe> {
  /** The remote's own word, not what was fetched once; undefined when it has no such ref. */
  const tipOf = async (ref: string, signal: AbortSignal): Promise<{ tip: string | undefined } | Verdict> => {
    const { exitCode, stdout, stderr } = await ports.git(['ls-remote', remote, ref], signal)
    if (exitCode !== 0)
      return unreadable({ ok: false, why: 'unreachable', detail: `git remote ${remote}: ${lastLine(stderr)}` })
    return {
      tip: stdout
        .split('\n')
        .find((line) => line.endsWith(`\t${ref}`))
        ?.split('\t')[0],
    }
  }
  const contains = async (commit: string, ancestor: string, signal: AbortSignal) =>
    commit === ancestor || (await ports.git(['merge-base', '--is-ancestor', ancestor, commit], signal)).exitCode === 0

  return {
    async 'branch-at'({ branch = '', commit = '' }, signal) {
      const read = await tipOf(`refs/heads/${branch}`, signal)
      if (!('tip' in read)) return read
      const { tip } = read
      if (tip === undefined) return { status: 'fail', detail: `${remote} has no branch ${branch}` }
      if (tip === commit) return { status: 'pass', detail: `${branch} is at ${short(commit)}` }
      // Somebody went on meanwhile; where this clone does not have that yet, it can't be told.
      if (await contains(tip, commit, signal))
        return { status: 'pass', detail: `${branch} is at ${short(tip)}, which contains ${short(commit)}` }
      return { status: 'fail', detail: `${branch} is at ${short(tip)}, not at ${short(commit)}` }
    },

    async 'branch-advances'({ branch = '', from = '', to = '' }, signal) {
      const read = await tipOf(`refs/heads/${branch}`, signal)
      if (!('tip' in read)) return read
      const { tip } = read
      if (tip !== from)
        return {
          status: 'fail',
          detail: `${branch} is at ${tip === undefined ? 'nothing' : short(tip)}, not at ${short(from)}: somebody has moved it`,
          next: 'k8sops rollout status',
          final: true,
        }
      if (await contains(to, from, signal))
        return { status: 'pass', detail: `${branch} goes from ${short(from)} on to ${short(to)}` }
      return {
        status: 'fail',
        detail: `${short(to)} does not follow from ${short(from)}: ${branch} is only moved forward`,
        final: true,
      }
    },

    async 'check-on-commit'({ repository = '', commit = '', id = '' }, signal) {
      const read = await ports.checks(repository, commit, signal)
      if (!read.ok) return unreadable(read)
      if (read.value.includes(id))
        return { status: 'pass', detail: `${repository} shows the check on ${short(commit)}` }
      return { status: 'fail', detail: `${repository} shows no check ${id} on ${short(commit)}` }
    },

    /** Waiting does not bring an old token back. */
    async 'rollout-unwritten'({ token = '' }, signal) {
      const read = await kube.list({ apiVersion: 'v1', kind: 'ConfigMap', ...record }, signal)
      if (!read.ok) return unreadable(read)
      const [found] = read.value
      if (!found) return { status: 'fail', detail: "the rollout's record is gone", final: true }
      const { token: now = '' } = found.data ?? {}
      if (now === token) return { status: 'pass', detail: `the record is as ${token} left it` }
      return { status: 'fail', detail: `${now} has written the record since ${token}`, final: true }
    },

    /** Every Kustomization from git has applied the commit, and they and all HelmReleases are Ready; but for those on hold. */
    async 'commit-live'({ cluster = '', commit = '' }, signal) {
      const port = cluster === ports.cluster.name ? kube : await ports.peer(cluster)
      if (!port) return unreadable({ ok: false, why: 'unreachable', detail: `${cluster} can't be reached from here` })
      const [kustomizations, releases] = await Promise.all([
        port.list({ apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' }, signal),
        port.list({ apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' }, signal),
      ])
      if (!kustomizations.ok) return unreadable(kustomizations)
      if (!releases.ok && releases.why !== 'not-found') return unreadable(releases)
      const fromGit = kustomizations.value.filter(
        (one) => !isHeld(one) && (valueAt(one, 'spec.sourceRef.kind') ?? 'GitRepository') === 'GitRepository',
      )
      if (fromGit.length === 0)
        return { status: 'fail', detail: `${cluster} has no Kustomization that is made from git` }
      const runs = new Map<string, boolean>()
      for (const revision of new Set(fromGit.map(commitOf)))
        if (revision !== undefined) runs.set(revision, await contains(revision, commit, signal))
      const open = [
        ...fromGit.flatMap((one) => {
          const revision = commitOf(one)
          if (revision === undefined || !runs.get(revision))
            return [`${nameOf(one)} runs ${revision === undefined ? 'nothing yet' : short(revision)}${because(one)}`]
          return notReady(one)
        }),
        ...(releases.ok ? releases.value.filter((one) => !isHeld(one)).flatMap(notReady) : []),
      ]
      if (open.length === 0) return { status: 'pass', detail: `${cluster} runs ${short(commit)}, and is Ready` }
      return {
        status: 'fail',
        detail: `${cluster}: ${open[0]}${open.length > 1 ? ` (and ${open.length - 1} more)` : ''}`,
        waitingFor: open.map((line) => `${cluster}: ${line}`),
      }
    },

    /** @param params where: `local`, or `remote` when the remote must have the same notes */
    async attested({ commit = '', digest = '', where = '' }, signal) {
      const note = await ports.git(['notes', `--ref=${notesRef}`, 'show', commit], signal)
      if (note.exitCode !== 0) return { status: 'fail', detail: `${short(commit)} has no attestation` }
      if (!note.stdout.includes(`"${digest}"`))
        return { status: 'fail', detail: `the attestation of ${short(commit)} is another one than ${digest}` }
      if (where === 'local') return { status: 'pass', detail: `${short(commit)} is attested` }
      const [own, read] = await Promise.all([ports.git(['rev-parse', notesRef], signal), tipOf(notesRef, signal)])
      if (!('tip' in read)) return read
      if (read.tip === own.stdout.trim())
        return { status: 'pass', detail: `${remote} has the attestation of ${short(commit)}` }
      return { status: 'fail', detail: `${remote} does not have the attestation of ${short(commit)} yet` }
    },
  }
}

const nameOf = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.namespace}/${metadata.name}`
const isHeld = ({ metadata }: KubeObject) => metadata.annotations?.['k8sops.dev/hold-id'] !== undefined
const commitOf = (one: KubeObject) =>
  /sha1:([0-9a-f]{40})$/.exec(String(valueAt(one, 'status.lastAppliedRevision') ?? ''))?.[1]

interface ReadyCondition {
  type: string
  status: string
  message?: string
}
const readyOf = ({ status }: KubeObject) =>
  ((status?.conditions ?? []) as ReadyCondition[]).find(({ type }) => type === 'Ready')

const because = (one: KubeObject): string => {
  const ready = readyOf(one)
  return ready && ready.status !== 'True' && ready.message ? `: ${ready.message}` : ''
}

function notReady(one: KubeObject): string[] {
  if (valueAt(one, 'spec.suspend') === true) return [`${nameOf(one)} is suspended`]
  if (readyOf(one)?.status !== 'True') return [`${nameOf(one)} is not Ready${because(one)}`]
  const current = valueAt(one, 'status.observedGeneration') === one.metadata.generation
  return current ? [] : [`${nameOf(one)}: Flux has not looked at it since it was changed`]
}

const lastLine = (text: string) => text.trim().split('\n').at(-1) ?? ''
