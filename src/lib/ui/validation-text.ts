/** What validation found, for people: by rule, with why and fix once, and at the end how much was looked at. */
import type { Validation } from '../repo/validation.ts'
import type { Problem } from '../types.ts'

export function renderValidation(validation: Validation): string {
  const { unreadable, findings, waived, confirm } = validation
  const place = ({ file, line, message }: Problem) => `  ${file}:${line}: ${message}`
  const section = (title: string, lines: string[]) => (lines.length > 0 ? [title, ...lines, ''] : [])
  const byRule = [...Map.groupBy(findings, ({ rule }) => rule)].flatMap(([rule, list]) => [
    `${rule}: ${list[0]?.why}`,
    `  fix: ${list[0]?.fix}`,
    ...list.map((one) => `${place(one)}${clustersOf(one.clusters, validation.clusters)}`),
    '',
  ])
  const text = [
    ...section(`${confirm.length} to be confirmed before a real cluster is written to:`, confirm.map(place)),
    ...section(`${unreadable.length} keep the configuration from being read:`, unreadable.map(place)),
    ...byRule,
    ...section(
      `${waived.length} waived:`,
      waived.map(({ file, line, rule, reason, findings: count }) => `  ${file}:${line}: ${rule} (${count}): ${reason}`),
    ),
    ...renderCoverage(validation),
    ...validation.server.flatMap(({ cluster, accepted, notChecked }) => [
      `cluster ${cluster}: its API server accepts ${accepted} objects`,
      ...(notChecked.length > 0
        ? [`  NOT checked there, their namespace or kind is not there yet: ${notChecked.join(', ')}`]
        : []),
    ]),
    ...(validation.withoutSchema.length > 0
      ? [`NOT checked against a schema, none is known: ${validation.withoutSchema.join(', ')}`]
      : []),
    `${validation.rules} rules, ${unreadable.length + findings.length} findings, ${waived.length} waivers, ${confirm.length} to be confirmed, ${validation.pins} pins`,
  ]
  return `${text.join('\n')}\n`
}

/** Only worth a word when not all of them have it. */
const clustersOf = (found: string[], all: string[]) =>
  found.length === 0 || found.length === all.length ? '' : ` [${found.join(', ')}]`

/** A release that was not rendered is never shown as one that is fine. */
function renderCoverage({ coverage }: Validation): string[] {
  return coverage.flatMap(({ cluster, kustomizations, skipped, byPath, releases, missing }) => {
    const reasons = [...Map.groupBy(missing, ({ reason }) => causeOf(reason))]
    const others = skipped > 0 ? ` (${skipped} more that the change cannot affect were not)` : ''
    return [
      `cluster ${cluster}: ${kustomizations} Kustomizations rendered${others}, ${releases - missing.length} of ${releases} HelmReleases rendered`,
      ...(byPath.length > 0 ? [`  built by path, because flate was stopped above them: ${byPath.join(', ')}`] : []),
      ...reasons.map(
        ([reason, list]) =>
          `  NOT rendered, checked only against what is known of the chart: ${list.map(({ release }) => release).join(', ')} (${reason})`,
      ),
    ]
  })
}

/** The last cause in a chain of Go errors, which many releases share. */
const causeOf = (reason: string): string => {
  const at = /(dial tcp.*|x509: .*|[45]\d\d [A-Z].*|no such host.*|not found.*|connection refused.*)$/.exec(reason)
  return (at?.[1] ?? reason).replace(/lookup \S+ on \S+: /, '')
}
