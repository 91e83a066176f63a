/** SARIF 2.1.0, what GitHub's code scanning and editors read. */
import type { RuleFinding } from '../repo/rules/check.ts'
import type { Json, Problem } from '../types.ts'

interface RuleText {
  id: string
  demands: string
  why: string
  fix: string
  source: string
}

export interface SarifInput {
  rules: readonly RuleText[]
  findings: RuleFinding[]
  /** What keeps the configuration from being read. */
  unreadable: Problem[]
}

export function toSarif({ rules, findings, unreadable }: SarifInput): Json {
  const results = [...unreadable.map((problem) => ({ ...problem, rule: 'configuration' })), ...findings].map(
    ({ rule, file, line, message }) => ({
      ruleId: rule,
      level: 'error',
      message: { text: message },
      locations: [
        { physicalLocation: { artifactLocation: { uri: file, uriBaseId: '%SRCROOT%' }, region: { startLine: line } } },
      ],
    }),
  )
  const driver = {
    name: 'k8sops',
    rules: rules.map(({ id, demands, why, fix, source }) => ({
      id,
      shortDescription: { text: demands },
      fullDescription: { text: `${why} (${source})` },
      help: { text: fix },
    })),
  }
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, results }],
  }
}
