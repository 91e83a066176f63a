/**
 * The Common Expression Language as far as a manifest can be judged by it: whether a text is an expression, which names it begins from,
 * and whether it answers yes or no. No types: those are the API server's to check (cel-spec, langdef.md; Kubernetes' optionals).
 */

export interface Expression {
  /** Names that nothing in it declares, with the field that is asked of each: `variables.labels`, `object`. */
  names: string[]
  /** It compares, negates, tests or combines tests. Whatever else it is may be of any type. */
  isTest: boolean
}

const token =
  /\s+|(?<string>[rRbB]{0,2}(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|(?<number>(?:0x[\da-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+)u?)|(?<name>[A-Za-z_]\w*)|(?<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()[\]{}])/iy

const comparing = new Set(['==', '!=', '<', '<=', '>', '>=', 'in'])
const joining = new Set(['&&', '||'])
const calculating = new Set(['+', '-', '*', '/', '%'])
/** Functions and macros whose answer is yes or no. */
const testing =
  /^(all|exists|exists_one|existsOne|has|startsWith|endsWith|contains|matches|hasValue|isURL|isIP|isCIDR|allowed|isSorted)$/
/** Macros whose first arguments are names that they declare. */
const declaring = /^(all|exists|exists_one|existsOne|filter|map|transformList|transformMap)$/

interface Token {
  kind: 'string' | 'number' | 'name' | 'sign' | 'end'
  text: string
}

/** @throws Error with what is wrong with it, when it is no expression */
export function readExpression(text: string): Expression {
  return new Reader(tokensOf(text)).whole()
}

function tokensOf(text: string): Token[] {
  const found: Token[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const at = token.lastIndex
    const groups = token.exec(text)?.groups
    if (!groups) throw new Error(`${text.slice(at).trim().split(/\s/)[0]} is nothing that it has`)
    for (const kind of ['string', 'number', 'name', 'sign'] as const)
      if (groups[kind] !== undefined) found.push({ kind, text: groups[kind] })
  }
  return [...found, { kind: 'end', text: 'the end' }]
}

class Reader {
  readonly #tokens: readonly Token[]
  #at = 0
  readonly #names = new Set<string>()

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Expression {
    const isTest = this.#conditional(new Set())
    this.#expect('the end')
    return { names: [...this.#names], isTest }
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: 'the end' }
  }

  #take(...texts: string[]): boolean {
    const { kind, text } = this.#next
    const isTaken = kind !== 'string' && texts.includes(text)
    if (isTaken) this.#at++
    return isTaken
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new Error(`${this.#next.text} stands where ${text} should`)
  }

  #conditional(declared: ReadonlySet<string>): boolean {
    const isTest = this.#binary(declared)
    if (!this.#take('?')) return isTest
    const isThen = this.#conditional(declared)
    this.#expect(':')
    return this.#conditional(declared) && isThen
  }

  /** Without precedence: it decides about values, not about what is an expression. */
  #binary(declared: ReadonlySet<string>): boolean {
    let isTest = this.#unary(declared)
    for (;;) {
      const { text } = this.#next
      if (!comparing.has(text) && !joining.has(text) && !calculating.has(text)) return isTest
      this.#at++
      this.#unary(declared)
      isTest = !calculating.has(text) || isTest
    }
  }

  #unary(declared: ReadonlySet<string>): boolean {
    const isNegated = this.#next.text === '!'
    while (this.#take('!', '-'));
    return this.#member(declared) || isNegated
  }

  #member(declared: ReadonlySet<string>): boolean {
    let isTest = this.#primary(declared)
    for (;;) {
      if (this.#take('.')) {
        this.#take('?')
        const { kind, text } = this.#next
        if (kind !== 'name') throw new Error(`${text} stands where a field should`)
        this.#at++
        isTest = this.#take('(') ? this.#arguments(text, declared) : false
      } else if (this.#take('[')) {
        this.#take('?')
        this.#conditional(declared)
        this.#expect(']')
        isTest = false
      } else if (this.#take('{')) {
        this.#entries(declared)
      } else return isTest
    }
  }

  #primary(declared: ReadonlySet<string>): boolean {
    const { kind, text } = this.#next
    this.#at++
    if (kind === 'string' || kind === 'number') return false
    if (kind === 'name') return this.#named(text, declared)
    if (text === '(') {
      const isTest = this.#conditional(declared)
      this.#expect(')')
      return isTest
    }
    if (text === '[') {
      while (!this.#take(']')) {
        this.#take('?')
        this.#conditional(declared)
        if (!this.#take(',') && this.#next.text !== ']') this.#expect(']')
      }
      return false
    }
    if (text === '{') {
      this.#entries(declared)
      return false
    }
    throw new Error(`${text} stands where a value should`)
  }

  #named(name: string, declared: ReadonlySet<string>): boolean {
    if (name === 'true' || name === 'false') return true
    if (name === 'null' || name === 'in') {
      if (name === 'in') throw new Error('in stands where a value should')
      return false
    }
    if (this.#take('(')) return this.#arguments(name, declared)
    if (declared.has(name)) return false
    const [dot, field] = [this.#next.text, this.#tokens[this.#at + 1]]
    const isAsked = dot === '.' && field?.kind === 'name'
    this.#names.add(isAsked ? `${name}.${field.text}` : name)
    return false
  }

  #arguments(name: string, declared: ReadonlySet<string>): boolean {
    const known = new Set(declared)
    // `list.all(one, ...)`: a bare name before a comma declares.
    while (declaring.test(name) && this.#next.kind === 'name' && this.#tokens[this.#at + 1]?.text === ',') {
      known.add(this.#next.text)
      this.#at += 2
    }
    while (!this.#take(')')) {
      this.#conditional(known)
      if (!this.#take(',') && this.#next.text !== ')') this.#expect(')')
    }
    return testing.test(name)
  }

  #entries(declared: ReadonlySet<string>): void {
    while (!this.#take('}')) {
      this.#take('?')
      this.#conditional(declared)
      this.#expect(':')
      this.#conditional(declared)
      if (!this.#take(',') && this.#next.text !== '}') this.#expect('}')
    }
  }
}
