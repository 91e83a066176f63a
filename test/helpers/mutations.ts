/** Generic breakages of YAML files, drawn by seed and blind to what any rule looks for. */
import { isPair, isScalar, parseAllDocuments, type Scalar, visit } from 'yaml'

/** Weyl sequence through a mixer (mulberry32): the same seed draws the same breakages everywhere, the next one others. */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

export interface Mutation {
  file: string
  operator: string
  text: string
  /** What was done, for whoever looks at one that was missed. */
  what: string
  /**
   * No tool could call it wrong. Two kinds only: two values of one key changed places, so that each is a value that the key may have
   * (5m and 15m of two alerts, two properties of one secret); or a scalar is gone from a list that still has others (one of two time
   * servers). Anything else that nobody finds is missed.
   */
  otherValid?: boolean
}

type Operator = (
  text: string,
  pick: (below: number) => number,
  names: ReadonlySet<string>,
) => Pick<Mutation, 'text' | 'what' | 'otherValid'> | undefined

interface Place {
  scalar: Scalar
  range: [number, number, number]
  /** Keys down to it; lists between them leave no trace. */
  keys: string[]
}

const scalarsOf = (text: string): Place[] => {
  const found: Place[] = []
  const keysOf = (path: readonly unknown[]) => path.flatMap((one) => (isPair(one) ? [String(one.key)] : []))
  const add = (scalar: unknown, keys: string[]) => {
    if (isScalar(scalar) && scalar.range) found.push({ scalar, range: scalar.range, keys })
  }
  for (const document of parseAllDocuments(text, { logLevel: 'silent' })) {
    visit(document as never, {
      Pair: (_, pair, path) => {
        if ((pair.value as Scalar | null)?.source !== undefined) add(pair.value, [...keysOf(path), String(pair.key)])
      },
      Seq: (_, seq, path) => {
        for (const item of seq.items) add(item, keysOf(path))
      },
    })
  }
  return found.sort((a, b) => a.range[0] - b.range[0])
}

const sourceOf = (text: string, { range }: Place) => text.slice(range[0], range[1])

/**
 * What an object calls itself, or a part of it that nothing can name (a group of alerts, a condition, a peer): renaming it renames no reference.
 */
const isOwnName = ({ keys }: Place) =>
  /^(metadata|spec,(groups|matchConditions|bgpInstances|bgpInstances,peers)),name$/.test(keys.join(','))

/** Whether the line is one scalar of a list, and another stands above or below it. */
function isOneOfSeveral(lines: readonly string[], index: number): boolean {
  const indent = /^( *)- [^\s{[&*|>][^:]*$/.exec(lines[index] ?? '')?.[1]
  const isItem = (line: string | undefined) => indent !== undefined && line?.startsWith(`${indent}- `) === true
  return isItem(lines[index - 1]) || isItem(lines[index + 1])
}

const operators: Record<string, Operator> = {
  'delete a line': (text, pick) => {
    const lines = text.split('\n')
    const candidates = lines.flatMap((line, index) => (line.trim() === '' || /^\s*#/.test(line) ? [] : [index]))
    const index = candidates[pick(candidates.length)]
    if (index === undefined) return undefined
    return {
      text: lines.toSpliced(index, 1).join('\n'),
      what: `line ${index + 1}: ${lines[index]?.trim()}`,
      otherValid: isOneOfSeveral(lines, index),
    }
  },
  'swap two scalars': (text, pick) => {
    const scalars = scalarsOf(text)
    const [first, second] = [scalars[pick(scalars.length)], scalars[pick(scalars.length)]].sort(
      (a, b) => (a?.range[0] ?? 0) - (b?.range[0] ?? 0),
    )
    if (!first || !second) return undefined
    const [one, two] = [sourceOf(text, first), sourceOf(text, second)]
    if (one === two || one.includes('\n') || two.includes('\n')) return undefined
    const swapped =
      text.slice(0, first.range[0]) +
      two +
      text.slice(first.range[1], second.range[0]) +
      one +
      text.slice(second.range[1])
    return { text: swapped, what: `${one} <-> ${two}`, otherValid: first.keys.join() === second.keys.join() }
  },
  'rename a reference': (text, pick, names) => {
    const references = scalarsOf(text).filter((place) => names.has(String(place.scalar.value)) && !isOwnName(place))
    const found = references[pick(references.length)]
    if (!found) return undefined
    return {
      text: `${text.slice(0, found.range[1])}-renamed${text.slice(found.range[1])}`,
      what: `${sourceOf(text, found)} -> …-renamed`,
    }
  },
  'drop a document': (text, pick) => {
    const documents = text.split(/^---$/m)
    const index = pick(documents.length)
    return { text: documents.toSpliced(index, 1).join('---'), what: `document ${index + 1} of ${documents.length}` }
  },
}

/** @param files path -> text @param names of objects, which references use */
export function drawMutation(files: ReadonlyMap<string, string>, names: ReadonlySet<string>, seed: number): Mutation {
  const pick = generator(seed)
  const paths = [...files.keys()].sort()
  const kinds = Object.keys(operators)
  for (;;) {
    const file = paths[pick(paths.length)] as string
    const operator = kinds[pick(kinds.length)] as string
    const result = operators[operator]?.(files.get(file) as string, pick, names)
    if (result && result.text !== files.get(file)) return { file, operator, ...result }
  }
}
