/**
 * Flux's post-build substitution. Own code, and not `flux envsubst`, because that command (flux2 v2.9.5) reads line by
 * line with a 64 KiB limit after which it silently stops, and takes the variables from its whole process environment.
 * Same rules as github.com/fluxcd/pkg/envsubst v1.7.1; test/unit/repo/envsubst.test.ts compares both.
 */

export interface Substitution {
  text: string
  /** Variables that were used without a default and are not defined: Flux puts nothing in their place. */
  undefinedNames: string[]
}

/** Bash operators that Flux evaluates and we do not, because no manifest here uses them: refused, never guessed. */
export class UnsupportedSubstitution extends Error {
  /** What stands there, up to the end of the line. */
  readonly excerpt: string
  constructor(reason: string, excerpt: string) {
    super(`${reason}: ${excerpt}`)
    this.excerpt = excerpt
  }
}

const identifier = /[\p{L}\p{Nd}_]+/uy

/**
 * Replaces `${NAME}`, `${NAME:=default}`, `${NAME:-default}`, `${NAME=default}`; `$$` becomes `$`, so `$${NAME}` stays as
 * `${NAME}`. Throws UnsupportedSubstitution for anything else after `${`.
 */
export function substitute(text: string, variables: Record<string, string>): Substitution {
  const undefinedNames = new Set<string>()
  let position = 0

  const fail = (reason: string, start: number): never => {
    throw new UnsupportedSubstitution(reason, text.slice(start, start + 40).split('\n')[0] ?? '')
  }

  /** `position` is just behind `${`. */
  const reference = (): string => {
    const start = position - 2
    identifier.lastIndex = position
    const name = identifier.exec(text)?.[0] ?? fail('no variable name', start)
    position += name.length
    const value = Object.hasOwn(variables, name) ? (variables[name] as string) : undefined
    if (text[position] === '}') {
      position += 1
      if (value === undefined) undefinedNames.add(name)
      return value ?? ''
    }
    // Flux treats `:?` and `:+` as defaults too, unlike a shell.
    const operator = /:[-=?+]|=/y
    operator.lastIndex = position
    const found = operator.exec(text)?.[0] ?? fail('substitution operator that k8sops does not know', start)
    position += found.length
    const fallback = defaultText(start)
    return value || fallback
  }

  /** The default ends at the first brace that closes it; a nested reference is evaluated, `$$` is not an escape here. */
  const defaultText = (start: number): string => {
    let result = ''
    while (text[position] !== '}') {
      if (position >= text.length) fail('missing closing brace', start)
      if (text.startsWith('${', position)) {
        position += 2
        result += reference()
      } else {
        result += text[position]
        position += 1
      }
    }
    position += 1
    return result
  }

  let result = ''
  for (;;) {
    const dollar = text.indexOf('$', position)
    if (dollar === -1) return { text: result + text.slice(position), undefinedNames: [...undefinedNames] }
    result += text.slice(position, dollar)
    const next = text[dollar + 1]
    position = dollar + (next === '$' || next === '{' ? 2 : 1)
    result += next === '{' ? reference() : '$'
  }
}
