/**
 * Ordinary YAML as plain data, by js-yaml: several times quicker than the library that knows of lines and comments (yaml), and that is asked
 * about everything else. Both take what is ordinary for the same; where they could differ this says nothing.
 */
import { createRequire } from 'node:module'
import type { Schema } from 'js-yaml'

type JsYaml = typeof import('js-yaml')

const load = createRequire(import.meta.url)

/** Which words are booleans: YAML 1.2's, or those that Go's decoder (sigs.k8s.io/yaml) takes for some besides. */
export type Booleans = 'yaml' | 'go'

/**
 * Read by the one, refused by the other, or differently: tabs, other ends of lines, directives, ends of documents, dashes that look like their
 * beginnings, anchors, explicit tags, and texts whose indentation or last lines are given.
 */
const unusual = /[\t\r\ufeff]|^%|^\.\.\.|^ +---|[\s,[{]&[^\s&]|!(?:[!<\s]|$)|[|>](?:[+\d]|-\d)/m

/** @returns the documents of a text; undefined of one that is not ordinary, or wrong */
export function plainDocuments(text: string, booleans: Booleans = 'yaml'): unknown[] | undefined {
  if (unusual.test(text)) return undefined
  const { jsYaml, schemas } = library()
  try {
    // An alias may stand for more than anybody can hold: that is counted elsewhere.
    return jsYaml.loadAll(text, { schema: schemas[booleans], maxAliases: 0 })
  } catch {
    return undefined
  }
}

let loaded: { jsYaml: JsYaml; schemas: Record<Booleans, Schema> } | undefined

function library() {
  if (loaded) return loaded
  const jsYaml = load('js-yaml') as JsYaml
  const { CORE_SCHEMA, defineScalarTag, mapTag } = jsYaml
  const textKeys: typeof mapTag = {
    ...mapTag,
    // Of a key that is null, a number or a boolean the libraries make different texts.
    addPair: (map, key, value) => (typeof key === 'string' ? mapTag.addPair(map, key, value) : 'a key is no text'),
  }
  const goBoolean = defineScalarTag<boolean>('tag:yaml.org,2002:bool', {
    implicit: true,
    implicitFirstChars: [...'tTfFyYnNoO'],
    resolve: (word) => (yes.test(word) ? true : no.test(word) ? false : jsYaml.NOT_RESOLVED),
    identify: (value) => typeof value === 'boolean',
  })
  const schema = CORE_SCHEMA.withTags(textKeys)
  loaded = { jsYaml, schemas: { yaml: schema, go: schema.withTags(goBoolean) } }
  return loaded
}

const yes = /^(?:true|True|TRUE|y|Y|yes|Yes|YES|on|On|ON)$/
const no = /^(?:false|False|FALSE|n|N|no|No|NO|off|Off|OFF)$/
