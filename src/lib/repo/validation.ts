/** What `k8sops validate` found, and how much it looked at. */
import type { Repository } from '../config/load.ts'
import type { Cluster, Problem } from '../types.ts'
import { readAskedView } from './asked-view.ts'
import type { Finding } from './locate.ts'
import type { RenderCoverage, Renderers } from './read-view.ts'
import { changedFiles } from './revision.ts'
import type { RuleFinding, RuleReport } from './rules/check.ts'
import { about } from './rules/rule.ts'
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
  const changed = since === undefined ? undefined : await changedFiles(repository.root, since)
  // Nothing differs: nothing can be affected, and nothing need be rendered to say so.
  if (changed?.length === 0)
    return {
      server: [],
      findings: [],
      waived: [],
      coverage: [],
      withoutSchema: [],
      pins: 0,
      rules: 0,
      unreadable: repository.problems,
      confirm: clusters.flatMap(({ confirm }) => confirm),
      clusters: clusters.map(({ name }) => name),
    }
  const question = { clusters, since: since !== undefined && changed ? { commit: since, changed } : undefined }
  // The rules come while flate runs.
  const [asked, { checkRules, isAboutOthers }, { pinsOf }, { withoutSchema }] = await Promise.all([
    readAskedView(repository, renderers, question),
    import('./rules/check.ts'),
    import('./rules/pins.ts'),
    import('./rules/schemas.ts'),
  ])
  const isChosen = (name: string) => clusters.some((cluster) => cluster.name === name)
  const isWanted = (finding: Finding, isLocal: boolean) =>
    isNamed(finding.file) &&
    (finding.cluster === undefined || isChosen(finding.cluster)) &&
    asked.isWanted(finding, isLocal)
  // An object that no file declares is asked about whatever is wanted.
  const isAsked = (one: RenderedObject, cluster: string) =>
    one.manifest.file === undefined || isWanted({ ...about(one, ''), cluster }, true)
  const dryRuns = server
    ? await Promise.all(
        asked.view.clusters
          .filter(({ name }) => isChosen(name))
          .map((cluster) => ({ ...cluster, objects: cluster.objects.filter((one) => isAsked(one, cluster.name)) }))
          .map(async (cluster) => checkOnServer(cluster, await server(cluster.name))),
      )
    : []
  const more = dryRuns.flatMap(({ findings }) => findings.map((finding) => ({ rule: serverRule, finding })))
  let { view, coverage } = asked
  let report = await checkRules(view, { more, isWanted })
  // What seems to be lacking may be in the rest.
  if (asked.widened && report.findings.some(({ rule }) => isAboutOthers(rule))) {
    ;({ view, coverage } = await asked.widened())
    report = await checkRules(view, { more, isWanted })
  }
  const { findings, waived } = report
  return {
    server: dryRuns.map(({ cluster, accepted, notChecked }) => ({ cluster, accepted, notChecked })),
    findings,
    waived,
    unreadable: repository.problems,
    confirm: clusters.flatMap(({ confirm }) => confirm),
    clusters: clusters.map(({ name }) => name),
    coverage: coverage.filter(({ cluster }) => isChosen(cluster)),
    pins: pinsOf(view).length,
    withoutSchema: withoutSchema(view),
    rules: report.rules,
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
