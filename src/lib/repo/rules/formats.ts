/** Texts in ConfigMaps that have a format of their own: scripts, kubeconfigs, a tunnel's ingress, names of JMX metrics. */
import { parseAllDocuments } from 'yaml'
import { dig, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { ofKind } from './view.ts'

export const formatRules: Rule[] = [
  {
    id: 'script-sound',
    demands:
      'A shell script in a ConfigMap uses only variables that it is given or sets, a line that is continued goes on indented, and a file that it reads beside itself is there',
    why: 'It stops in the middle, or goes on with an empty word, on the machine where it is needed',
    fix: 'Set the variable, or write it in capitals when it comes from the environment',
    source: 'POSIX sh',
    scope: 'house',
    looksAt: 'itself',
    check: ofTexts((key, text, keys) => (/\.sh$/.test(key) ? unsoundScript(text, keys) : [])),
  },
  {
    id: 'kubeconfig-whole',
    demands:
      'A kubeconfig in a ConfigMap has a current context, whose cluster says a server and an authority, and whose user says who it is',
    why: 'kubectl then speaks to localhost, or to the right API server as nobody',
    fix: 'current-context, contexts, clusters and users that name each other',
    source: 'Kubernetes',
    scope: 'any',
    looksAt: 'itself',
    check: ofTexts((_, text) => (/^kind: Config$/m.test(text) ? halfKubeconfig(text) : [])),
  },
  {
    id: 'tunnel-ingress-whole',
    demands: 'A tunnel’s ingress ends with a rule for everything else, and an origin over HTTPS is verified by a name',
    why: 'cloudflared refuses to start without the last rule; without a name it compares the certificate with that of the Service',
    fix: '- service: http_status:404 at the end; originRequest.originServerName',
    source: 'cloudflared 2025.9',
    scope: 'house',
    looksAt: 'itself',
    check: ofTexts((_, text) => (/^ingress:$/m.test(text) && /\bservice:/.test(text) ? halfIngress(text) : [])),
  },
  {
    id: 'jmx-rule-whole',
    demands:
      'A rule of the JMX exporter has a pattern, a name and a type, and takes from the pattern only groups that it has',
    why: 'A rule without a name keeps the bean’s own, under which no alert and no dashboard finds it',
    fix: 'pattern, name, type: COUNTER, GAUGE or UNTYPED',
    source: 'jmx_exporter 1.2',
    scope: 'any',
    looksAt: 'itself',
    check: ofTexts((_, text) => (/^\s*- pattern:/m.test(text) ? halfPatterns(text) : [])),
  },
]

/** @param judge what is wrong with one text, by its key; `keys` are those of the whole ConfigMap */
function ofTexts(judge: (key: string, text: string, keys: readonly string[]) => string[]): Rule['check'] {
  return each((cluster) =>
    ofKind(cluster, 'ConfigMap')
      .filter(({ release }) => !release)
      .flatMap((one): Finding[] => {
        const data = mapAt(one.object(), 'data')
        return Object.entries(data).flatMap(([key, text]) =>
          typeof text === 'string'
            ? judge(key, text, Object.keys(data)).map((message) => about(one, `${key}: ${message}`, ['data', key]))
            : [],
        )
      }),
  )
}

/** Words in capitals are the environment's. */
function unsoundScript(text: string, keys: readonly string[]): string[] {
  const lines = text.split('\n')
  const set = new Set(
    [
      ...text.matchAll(/(?:^|[\s;(])([a-z_]\w*)=/g),
      ...text.matchAll(/\bfor ([a-z_]\w*)/g),
      ...text.matchAll(/\bread (?:-\w+ )*([a-z_]\w*)/g),
    ].map(([, name = '']) => name),
  )
  const used = new Set([...text.matchAll(/\$\{?([a-z_]\w*)/g)].map(([, name = '']) => name))
  const beside = [...text.matchAll(/\$\w+\/([\w-]+\.\w+)/g)].map(([, name = '']) => name)
  return [
    ...[...used].filter((name) => !set.has(name)).map((name) => `$${name} is set nowhere`),
    ...lines.flatMap((line, index) => {
      const next = lines[index + 1] ?? ''
      const indent = (one: string) => one.search(/\S/)
      const isLost = /\\$/.test(line) && !/\\$/.test(lines[index - 1] ?? '') && indent(next) <= indent(line)
      return isLost ? [`line ${index + 1} goes on with ${next.trim().split(' ')[0] || 'nothing'}`] : []
    }),
    ...beside.filter((name) => !keys.includes(name)).map((name) => `reads ${name}, which is not beside it`),
  ]
}

const firstOf = (text: string): unknown => {
  const [document] = parseAllDocuments(text, { logLevel: 'silent' })
  // What is no YAML another rule tells of.
  return !document || document.errors.length > 0 ? undefined : document.toJS()
}

function halfKubeconfig(text: string): string[] {
  const config = firstOf(text)
  if (config === undefined) return []
  const named = (list: string, name: string | undefined) =>
    listAt(config, list).find((one) => textAt(one, 'name') === name)
  const current = textAt(config, 'current-context')
  const context = named('contexts', current)
  const cluster = named('clusters', textAt(context, 'context.cluster'))
  const user = named('users', textAt(context, 'context.user'))
  return [
    ...(context ? [] : [`current-context ${current ?? ''} is none of the contexts`]),
    ...(textAt(cluster, 'cluster.server') === undefined ? ['no server'] : []),
    ...(['certificate-authority', 'certificate-authority-data'].some((key) => textAt(cluster, `cluster.${key}`))
      ? []
      : ['no authority that signs for the server']),
    ...(Object.keys(mapAt(user, 'user')).length > 0 ? [] : ['the user of the context is nobody']),
  ]
}

function halfIngress(text: string): string[] {
  const rules = listAt(firstOf(text), 'ingress')
  const isRest = (rule: unknown) => dig(rule, 'hostname') === undefined && dig(rule, 'path') === undefined
  return rules.flatMap((rule, index) => {
    const service = textAt(rule, 'service')
    const isLast = index === rules.length - 1
    return [
      ...(service === undefined ? [`rule ${index} leads nowhere`] : []),
      ...(isLast === isRest(rule) ? [] : [isLast ? 'no rule for everything else' : `rule ${index} takes everything`]),
      ...(/^https:/.test(service ?? '') &&
      textAt(rule, 'originRequest.originServerName') === undefined &&
      dig(rule, 'originRequest.noTLSVerify') !== true
        ? [`rule ${index}: no originServerName for ${service}`]
        : []),
    ]
  })
}

function halfPatterns(text: string): string[] {
  return listAt(firstOf(text), 'rules').flatMap((rule, index) => {
    const [pattern, name, type] = ['pattern', 'name', 'type'].map((key) => textAt(rule, key))
    const groups = (pattern ?? '').match(/(?<!\\)\((?!\?)/g)?.length ?? 0
    const taken = [...JSON.stringify({ ...mapAt({ rule }, 'rule'), pattern: '' }).matchAll(/\$(\d)/g)].map(
      ([, digit]) => Number(digit),
    )
    return [
      ...[pattern, name, type].flatMap((value, at) =>
        value === undefined ? [`rule ${index} has no ${['pattern', 'name', 'type'][at]}`] : [],
      ),
      ...(taken.some((digit) => digit > groups) ? [`rule ${index} takes a group that its pattern has not`] : []),
    ]
  })
}
