/** What `k8sops validate` found, and how much it looked at. */
import type { Repository } from '../config/load.ts'
import type { Cluster, Problem } from '../types.ts'
import { affectedSince } from './affected.ts'
import { type RenderCoverage, type Renderers, readView } from './read-view.ts'
import { changedFiles } from './revision.ts'
import { checkRules, type RuleFinding, type RuleReport } from './rules/check.ts'
import { pinsOf } from './rules/pins.ts'
import { withoutSchema } from './rules/schemas.ts'
import type { RenderedObject } from './rules/view.ts'
import { checkOnServer, type DryRun, serverRule } from './server-check.ts'

export interface Validation extends RuleReport {
  /** What keeps the configuration from being read: then it is not a matter of rules. */
  unreadable: Problem[]
  confirm: Problem[]
  clusters: string[]
  coverage: RenderCoverage[]
  /** Versions that Renovate has to know. */
  pins: number
  /** `Kind group/version` that no schema is known for: not checked. */
  withoutSchema: string[]
  rules: number
  /** Of --server: how many objects each API server accepts, and of which nothing can be said yet. */
  server: { cluster: string; accepted: number; notChecked: string[] }[]
}

export interface ValidationScope {
  clusters: Cluster[]
  /** Files whose findings are of interest; all without it. */
  isWanted?: (file: string) => boolean
  /** Only what the changes since this commit can affect. */
  since?: string | undefined
  /** Asks a cluster's API server about each object, too. */
  server?: ((cluster: string) => Promise<DryRun>) | undefined
}

/** @throws what is wrong with a renderer itself, never for what a file says */
export async function validateRepository(
  repository: Repository,
  renderers: Renderers,
  { clusters, isWanted: isNamed = () => true, since, server }: ValidationScope,
): Promise<Validation> {
  // Nothing differs: nothing can be affected, and nothing need be rendered to say so.
  if (since !== undefined && (await changedFiles(repository.root, since)).length === 0)
    return {
      ...{ server: [], findings: [], waived: [], coverage: [], withoutSchema: [], pins: 0, rules: 0 },
      unreadable: repository.problems,
      confirm: clusters.flatMap(({ confirm }) => confirm),
      clusters: clusters.map(({ name }) => name),
    }
  // All of them, also when one is asked for: whether a file is used, or names one cluster, shows only with the others beside it.
  const { view, coverage } = await readView(repository, repository.clusters, renderers)
  const isChosen = (name: string) => clusters.some((cluster) => cluster.name === name)
  const isAffected = since === undefined ? undefined : await affectedSince(view, since)
  const isWanted = (file: string) => isNamed(file) && (isAffected?.(file) ?? true)
  // An object that no file declares is asked about whatever is wanted.
  const isAsked = ({ manifest: { file } }: RenderedObject) => file === undefined || isWanted(file)
  const asked = server
    ? await Promise.all(
        view.clusters
          .filter(({ name }) => isChosen(name))
          .map((cluster) => ({ ...cluster, objects: cluster.objects.filter(isAsked) }))
          .map(async (cluster) => checkOnServer(cluster, await server(cluster.name))),
      )
    : []
  const more = asked.flatMap(({ findings }) => findings.map((finding) => ({ rule: serverRule, finding })))
  const { rules, ...report } = await checkRules(view, { more })
  return {
    server: asked.map(({ cluster, accepted, notChecked }) => ({ cluster, accepted, notChecked })),
    findings: report.findings.filter(
      (one) => isWanted(one.file) && (one.clusters.length === 0 || one.clusters.some(isChosen)),
    ),
    waived: report.waived.filter(({ file }) => isWanted(file)),
    unreadable: repository.problems,
    confirm: clusters.flatMap(({ confirm }) => confirm),
    clusters: clusters.map(({ name }) => name),
    coverage: coverage.filter(({ cluster }) => isChosen(cluster)),
    pins: pinsOf(view).length,
    withoutSchema: withoutSchema(view),
    rules,
  }
}

/** All of it as problems, for annotations. */
export const asProblems = ({ unreadable, findings }: Validation): Problem[] => [
  ...unreadable,
  ...findings.map(({ file, line, message, rule, fix }: RuleFinding) => ({
    file,
    line,
    message: `${message} [${rule}]\n${fix}`,
  })),
]
