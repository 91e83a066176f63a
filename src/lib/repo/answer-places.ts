/** Says what the rules found in the files of a new cluster where the operator can mend it: at the answer that it came from. Pure. */
import { parseYaml, type YamlFile, type YamlPath } from '../config/document.ts'
import { ports, virtualAddresses, vlans } from '../config/interfaces.ts'
import { type Issue, type Talconfig, talconfigSchema } from '../config/schema.ts'
import type { Problem } from '../types.ts'
import type { AnswerKey, ClusterAnswers } from './cluster-answers.ts'
import { layout } from './layout.ts'
import { settingsOfAnswers } from './new-cluster-choice.ts'

interface Origin {
  file: string
  line: number
  /** Undefined: made up for what was not answered, and what is wrong with it is said of that. */
  answer: YamlPath | undefined
}

export interface PlacedProblems {
  /** At answers. */
  issues: Issue[]
  /** Of what no answer decides. */
  others: Problem[]
}

/**
 * @param files the new cluster's, by path
 * @param where names the place of an answer
 */
export function atAnswers(
  problems: Problem[],
  name: string,
  answers: ClusterAnswers,
  files: ReadonlyMap<string, string>,
  where: (answer: YamlPath) => string,
): PlacedProblems {
  const origins = originsOf(name, answers, files)
  const originAt = (file: string, line: number) => origins.find((one) => one.file === file && one.line === line)
  const told = (message: string, answer: YamlPath) => {
    const [, setting] = /^([A-Z][A-Z0-9_]*): /.exec(message) ?? []
    const own = setting !== undefined && settingsOfAnswers[answer[0] as AnswerKey]?.includes(setting)
    return (own ? message.slice(`${setting}: `.length) : message).replace(
      /([\w./-]+\.yaml):(\d+)/g,
      (place, file: string, line: string) => {
        const origin = originAt(file, Number(line))
        return origin?.answer ? where(origin.answer) : place
      },
    )
  }
  const placed: PlacedProblems = { issues: [], others: [] }
  for (const problem of problems) {
    const origin = originAt(problem.file, problem.line)
    const issue = origin?.answer && { path: origin.answer, message: told(problem.message, origin.answer) }
    if (!origin) placed.others.push(problem)
    else if (!issue) continue
    else if (!placed.issues.some((one) => JSON.stringify(one) === JSON.stringify(issue))) placed.issues.push(issue)
  }
  return placed
}

function originsOf(name: string, answers: ClusterAnswers, files: ReadonlyMap<string, string>): Origin[] {
  const [settings, talconfig] = [layout.settings(name), layout.talconfig(name)].map((path) =>
    parseYaml(files.get(path) ?? '', path, []),
  )
  return [
    ...(settings ? settingOrigins(settings, answers) : []),
    ...(talconfig ? machineOrigins(talconfig, answers) : []),
  ]
}

/** What is not answered has its place in a network that is. */
const given = (answers: ClusterAnswers, key: 'vip' | 'gateway' | 'nodes'): YamlPath => [answers[key] ? key : 'cidr']

function settingOrigins(file: YamlFile, answers: ClusterAnswers): Origin[] {
  const origin = (setting: string, answer: YamlPath) => ({
    file: file.path,
    line: file.lineOf(['data', setting]),
    answer,
  })
  return [
    ...Object.entries(settingsOfAnswers).flatMap(([key, settings]) =>
      settings.map((setting) => origin(setting, key === 'vip' || key === 'gateway' ? given(answers, key) : [key])),
    ),
    origin('CLUSTER_DNS_IP', ['services']),
    ...['ENVOY_INTERNAL_IP', 'ENVOY_EXTERNAL_IP'].map((setting) => origin(setting, ['lbPool'])),
  ]
}

function machineOrigins(file: YamlFile, answers: ClusterAnswers): Origin[] {
  const read = talconfigSchema.safeParse(file.data)
  if (!read.success) return []
  const talconfig: Talconfig = read.data
  const origin = (path: YamlPath, answer: YamlPath | undefined): Origin => ({
    file: file.path,
    line: file.lineOf(path),
    answer,
  })
  const left = [...(answers.nodes ?? []).entries()]
  const nodes = talconfig.nodes.flatMap((node, index) => {
    // Names may be there twice, which is what the rules are about to say.
    const at = left.findIndex(([, one]) => one.hostname === node.hostname && one.address === node.ipAddress)
    const [place] = left.splice(at < 0 ? left.length : at, 1)[0] ?? []
    const answer = (...more: YamlPath): YamlPath => (place === undefined ? ['cidr'] : ['nodes', place, ...more])
    return [
      ...ports(talconfig, node).map(({ path }, port) =>
        origin(path, place !== undefined && answers.nodes?.[place]?.ports ? answer('ports', port) : undefined),
      ),
      origin(['nodes', index, 'ipAddress'], answer('address')),
      origin(['nodes', index, 'hostname'], answer('hostname')),
    ]
  })
  return [
    ...nodes,
    ...vlans(talconfig).map(({ path }) => origin(path, ['vlan'])),
    ...virtualAddresses(talconfig).map(({ path }) => origin(path, given(answers, 'vip'))),
    origin(['endpoint'], given(answers, 'vip')),
    origin(['clusterPodNets', 0], ['pods']),
    origin(['clusterSvcNets', 0], ['services']),
    origin(['nodes'], given(answers, 'nodes')),
  ]
}
