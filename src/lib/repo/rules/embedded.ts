/** Configuration that stands as a text in a ConfigMap or in the template of a Secret, judged in its own format. */
import { parseAllDocuments } from 'yaml'
import { dig, isFields, leaves, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const embeddedRules: Rule[] = [
  {
    id: 'embedded-text-valid',
    demands:
      'What a ConfigMap or a Secret’s template has as *.yaml or *.json can be read, and each of its keys has a value',
    why: 'Whoever reads it stops with an error, or takes the rest for all there is',
    fix: 'Correct the text at the key that is named',
    source: 'YAML 1.2, JSON',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => textsOf(cluster).flatMap(malformed)),
  },
  {
    id: 'gatus-endpoint-complete',
    demands: 'An endpoint that Gatus asks has a name, a group, a URL, an interval and conditions',
    why: 'Gatus refuses its whole configuration, or asks and takes every answer for a good one',
    fix: 'name, group, url, interval, conditions: ["[STATUS] == 200"]',
    source: 'Gatus 5',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      textsOf(cluster)
        .filter(({ one }) => one.kind === 'ConfigMap' && /^(gatus$|.*-gatus$)/.test(one.name))
        .flatMap(incompleteEndpoints),
    ),
  },
]

interface Text {
  one: RenderedObject
  path: YamlPath
  format: 'yaml' | 'json'
  text: string
}

function textsOf(cluster: ClusterView): Text[] {
  const parts = [
    ...ofKind(cluster, 'ConfigMap').map((one) => ({ one, path: ['data'] })),
    ...ofKind(cluster, 'ExternalSecret').map((one) => ({ one, path: ['spec', 'target', 'template', 'data'] })),
  ]
  return parts
    .filter(({ one }) => !one.release)
    .flatMap(({ one, path }) =>
      Object.entries(mapAt(one.object(), path.join('.'))).flatMap(([key, text]): Text[] => {
        const format = /\.(yaml|json)$/.exec(key.replace(/\.yml$/, '.yaml'))?.[1] as Text['format'] | undefined
        if (format === undefined || typeof text !== 'string') return []
        // What a template puts in is some text.
        return [{ one, path: [...path, key], format, text: text.replaceAll(/\{\{.*?\}\}/gs, 'x') }]
      }),
    )
}

function malformed({ one, path, format, text }: Text): Finding[] {
  const says = (message: string) => about(one, `${path.at(-1)}: ${message}`, path)
  if (format === 'json') {
    try {
      JSON.parse(text)
      return []
    } catch (error) {
      return [says((error as Error).message)]
    }
  }
  return parseAllDocuments(text, { logLevel: 'silent' }).flatMap((document) => {
    if (document.errors.length > 0) return document.errors.map((error) => says(error.message.split('\n')[0] ?? ''))
    return leaves(document.toJS())
      .filter(({ value, path: inside }) => value === null && inside.length > 0)
      .map(({ path: inside }) => says(`${inside.join('.')} has no value`))
  })
}

const condition = /^(len\(|has\(|pat\(|any\()?\[[A-Z_]+\]\S*\)?\s(==|!=|<|>|<=|>=)\s\S/

function incompleteEndpoints({ one, path, text }: Text): Finding[] {
  const [document] = parseAllDocuments(text, { logLevel: 'silent' })
  if (!document || document.errors.length > 0) return []
  const endpoints = listAt(document.toJS(), 'endpoints')
  if (endpoints.length === 0) return [about(one, `${path.at(-1)}: has no endpoints`, path)]
  return endpoints.flatMap((endpoint) => {
    const says = (message: string) => about(one, `endpoint ${textAt(endpoint, 'name')} ${message}`, path)
    const conditions = listAt(endpoint, 'conditions')
    const isDns = isFields(dig(endpoint, 'dns'))
    return [
      ...['name', 'group', 'url', 'interval']
        .filter((key) => textAt(endpoint, key) === undefined)
        .map((key) => says(`has no ${key}`)),
      ...(isDns || /^[a-z]+:\/\/\S+$/.test(textAt(endpoint, 'url') ?? '') ? [] : [says('has no URL')]),
      ...(conditions.length > 0 ? [] : [says('has no conditions')]),
      ...conditions
        .filter((text) => !condition.test(String(text)))
        .map((text) => says(`asks ${text}, which is no condition`)),
    ]
  })
}
