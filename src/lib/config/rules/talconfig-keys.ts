/** Finds keys in talconfig.yaml that talhelper would silently ignore. */
import type { Problem } from '../../types.ts'
import type { YamlFile } from '../document.ts'
import { dotted } from '../schema.ts'
import { problem, type Rule } from './rule.ts'
import { talconfigRoot, talconfigShape } from './talconfig-shape.ts'

export const unknownKeys: Rule = ({ clusters }) =>
  clusters.flatMap(({ talconfigFile }) =>
    talconfigFile ? inside(talconfigFile, talconfigFile.data, [], talconfigRoot) : [],
  )

function inside(file: YamlFile, value: unknown, path: (string | number)[], type: string): Problem[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => inside(file, item, [...path, index], type))
  const keys = talconfigShape.get(type)
  if (!keys || typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, below]) => {
    const next = [...path, key]
    const belowType = keys.get(key)
    if (belowType === undefined) {
      return [
        problem(file, next, `${dotted(next)}: talhelper knows no such key and ignores it${suggestion(key, keys)}`),
      ]
    }
    return inside(file, below, next, belowType)
  })
}

/** A key that differs in letter case only is the usual slip (`vlanID`, `ipaddress`). */
function suggestion(key: string, keys: ReadonlyMap<string, string>): string {
  const same = [...keys.keys()].find((known) => known.toLowerCase() === key.toLowerCase())
  return same ? `; did you mean ${same}?` : ''
}
