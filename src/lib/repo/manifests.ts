/** Manifests as text first: a CRD of a megabyte is parsed only when somebody looks into it. */
import type { KubeObject } from '../types.ts'
import { textAt } from './fields.ts'
import { plainDocuments } from './plain-yaml.ts'
import { parse } from './yaml.ts'

export interface Manifest {
  apiVersion: string
  kind: string
  text: string
  /** The file it came from, relative to the repository's root, where kustomize says. */
  file: string | undefined
  /** Parsed on first use. */
  object: () => KubeObject
}

/** YAML 1.1 words that Go's decoder (sigs.k8s.io/yaml) reads as booleans; a substituted variable may well be one. */
const goBoolean = {
  identify: (value: unknown) => typeof value === 'boolean',
  default: true as const,
  tag: 'tag:yaml.org,2002:bool',
  test: /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/,
  resolve: (text: string) => /^(?:y|on)/i.test(text),
}

/** Parses one document as the Kubernetes tools would. */
export function parseManifest(text: string): unknown {
  const plain = plainDocuments(text, 'go')
  return plain?.length === 1 ? plain[0] : parse(text, { customTags: (tags) => [goBoolean, ...tags], logLevel: 'error' })
}

/** Splits a stream of YAML documents. Only a `---` at the start of a line separates: inside a block scalar it is indented. */
export function splitDocuments(stream: string): string[] {
  return stream.split(/^---(?:[ \t].*)?(?:\r?\n|$)/m).filter((text) => /^[^\s#]/m.test(text))
}

/** The value of a top-level scalar key of a document in block style. */
export function topLevel(text: string, key: string): string | undefined {
  return new RegExp(`^${key}:[ \\t]*["']?([^"'\\s#]+)["']?[ \\t]*(?:#.*)?$`, 'm').exec(text)?.[1]
}

/** A manifest from the text of one document. */
export function manifest(text: string, file: string | undefined, parsed?: KubeObject): Manifest {
  let object = parsed
  return {
    apiVersion: topLevel(text, 'apiVersion') ?? '',
    kind: topLevel(text, 'kind') ?? '',
    text,
    file,
    object: () => {
      object ??= parseManifest(text) as KubeObject
      return object
    },
  }
}

/** JSON is YAML: the text is there for whoever wants it, and made only then. */
export function manifestOf(object: KubeObject, file: string | undefined): Manifest {
  let text: string | undefined
  return {
    apiVersion: textAt(object, 'apiVersion') ?? '',
    kind: textAt(object, 'kind') ?? '',
    file,
    get text() {
      text ??= `${JSON.stringify(object)}\n`
      return text
    },
    object: () => object,
  }
}
