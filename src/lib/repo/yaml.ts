/**
 * The yaml library, loaded when the first document is read: importing it takes 30 ms, which every command that may render
 * something would pay for its `--help`. What it is used for here is synchronous, so `import()` will not do.
 */
import { createRequire } from 'node:module'

type Yaml = typeof import('yaml')

const load = createRequire(import.meta.url)
let loaded: Yaml | undefined
// Node looks for the file again at each `require`: 0.2 ms, and there are thousands of documents.
export const yaml = (): Yaml => {
  loaded ??= load('yaml') as Yaml
  return loaded
}

export const parse = ((...given: Parameters<Yaml['parse']>) => yaml().parse(...given)) as Yaml['parse']
export const stringify = ((...given: Parameters<Yaml['stringify']>) => yaml().stringify(...given)) as Yaml['stringify']
export const parseDocument = ((...given: Parameters<Yaml['parseDocument']>) =>
  yaml().parseDocument(...given)) as Yaml['parseDocument']
export const isSeq = ((node: unknown) => yaml().isSeq(node)) as Yaml['isSeq']
export const isMap = ((node: unknown) => yaml().isMap(node)) as Yaml['isMap']
export const isScalar = ((node: unknown) => yaml().isScalar(node)) as Yaml['isScalar']
export const visit = ((...given: Parameters<Yaml['visit']>) => yaml().visit(...given)) as Yaml['visit']
