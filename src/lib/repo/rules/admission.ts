/** ValidatingAdmissionPolicies: bound, about resources that there are, and with expressions that can be evaluated. */
import { readExpression } from '../cel.ts'
import { dig, listAt, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { resourcesByGroup } from './roles.ts'
import { about, each, type Rule } from './rule.ts'
import { ofKind, type RenderedObject } from './view.ts'

const policies = ['ValidatingAdmissionPolicy', 'MutatingAdmissionPolicy']

export const admissionRules: Rule[] = [
  {
    id: 'admission-policy-bound',
    demands: 'An admission policy has a binding',
    why: 'Without one it is asked about nothing, and everything is admitted that it was meant to refuse',
    fix: 'A ValidatingAdmissionPolicyBinding with its name as policyName',
    source: 'Kubernetes 1.35',
    scope: 'any',
    check: each((cluster) =>
      policies.flatMap((kind) => {
        const bound = new Set(ofKind(cluster, `${kind}Binding`).map((one) => textAt(one.object(), 'spec.policyName')))
        return ofKind(cluster, kind)
          .filter(({ release, name }) => !release && !bound.has(name))
          .map((one) => about(one, 'is bound by nothing', ['metadata', 'name']))
      }),
    ),
  },
  {
    id: 'admission-policy-sound',
    demands:
      'An admission policy is about resources, versions and operations that there are; its expressions are CEL about what it is given, its messages are sentences, and it uses each of its variables',
    why: 'The API server refuses the policy, or never asks it; and with failurePolicy Fail an expression that fails refuses everything',
    fix: 'kubectl api-resources -o wide has groups, versions and names; object, oldObject, request, params, namespaceObject, authorizer and variables are what it is given',
    source: 'Kubernetes 1.35',
    scope: 'any',
    check: (view) =>
      each((cluster) => {
        const known = resourcesByGroup(view.schemas, cluster)
        return ofKind(cluster, ...policies)
          .filter(({ release }) => !release)
          .flatMap((one) => [...strangeResources(one, known), ...brokenExpressions(one)])
      })(view),
  },
]

const operations = /^(CREATE|UPDATE|DELETE|CONNECT|\*)$/
const version = /^(v\d+((alpha|beta)\d+)?|\*)$/

function strangeResources(one: RenderedObject, known: ReadonlyMap<string, ReadonlySet<string>>): Finding[] {
  return ['resourceRules', 'excludeResourceRules'].flatMap((list) =>
    listAt(one.object(), `spec.matchConstraints.${list}`).flatMap((rule, index) => {
      const at = ['spec', 'matchConstraints', list, index]
      const words = (key: string) => listAt(rule, key).map(String)
      const groups = words('apiGroups')
      const lacking = ['apiGroups', 'apiVersions', 'operations', 'resources']
        .filter((key) => words(key).length === 0)
        .map((key) => about(one, `names none of ${key}`, at))
      const wrong = (key: string, message: string, isRight: (word: string) => boolean) =>
        words(key).flatMap((word, position) =>
          isRight(word) ? [] : [about(one, `${word} ${message}`, [...at, key, position])],
        )
      const isThere = (resource: string) => {
        const [name = ''] = resource.split('/')
        return (
          name === '*' ||
          !groups.every((group) => known.has(group)) ||
          groups.some((group) => known.get(group)?.has(name))
        )
      }
      return [
        ...lacking,
        ...wrong('apiVersions', 'is no version of an API', (word) => version.test(word)),
        ...wrong('operations', 'is no operation', (word) => operations.test(word)),
        ...wrong('apiGroups', 'is no API group', (word) => word === '*' || known.has(word) || word.includes('.')),
        ...wrong('resources', 'is in no API group of this rule', isThere),
      ]
    }),
  )
}

const given = /^(object|oldObject|request|params|namespaceObject|authorizer)(\.|$)/

function brokenExpressions(one: RenderedObject): Finding[] {
  const declared = listAt(one.object(), 'spec.variables').map((variable) => textAt(variable, 'name') ?? '')
  const used = new Set<string>()
  const judge = (text: string | undefined, path: YamlPath, isTest: boolean): Finding[] => {
    if (text === undefined) return []
    try {
      const found = readExpression(text)
      for (const name of found.names) used.add(name)
      const strange = found.names.filter(
        (name) =>
          !given.test(name) && !(name.startsWith('variables.') && declared.includes(name.slice('variables.'.length))),
      )
      return [
        ...strange.map((name) => about(one, `${name} is nothing that an expression is given`, path)),
        ...(isTest && !found.isTest ? [about(one, `${text} decides nothing`, path)] : []),
      ]
    } catch (error) {
      return [about(one, `no expression: ${(error as Error).message}`, path)]
    }
  }
  const inList = (list: string, key: string, isTest: boolean) =>
    listAt(one.object(), `spec.${list}`).flatMap((item, index) =>
      judge(textAt(item, key), ['spec', list, index, key], isTest),
    )
  const findings = [
    ...inList('variables', 'expression', false),
    ...inList('matchConditions', 'expression', true),
    ...inList('validations', 'expression', true),
    ...inList('validations', 'messageExpression', false),
    ...inList('auditAnnotations', 'valueExpression', false),
  ]
  const prose = listAt(one.object(), 'spec.validations').flatMap((item, index) => {
    const message = textAt(item, 'message')
    const isSaid = message === undefined ? dig(item, 'messageExpression') !== undefined : /\S\s\S/.test(message)
    return isSaid
      ? []
      : [about(one, `validation ${index} does not say what is refused`, ['spec', 'validations', index])]
  })
  const idle = declared.flatMap((name, index) =>
    used.has(`variables.${name}`) ? [] : [about(one, `uses no variable ${name}`, ['spec', 'variables', index])],
  )
  return [...findings, ...prose, ...idle]
}
