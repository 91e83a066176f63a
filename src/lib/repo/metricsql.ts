/**
 * Queries of Prometheus and VictoriaMetrics (PromQL, MetricsQL) as far as a manifest can be judged by them: whether a text is one, what
 * it asks for, and whether it decides anything. Types of its values are the server's to check.
 */

export interface Selector {
  metric: string
  matchers: { label: string; op: string; value: string }[]
}

export interface Query {
  selectors: Selector[]
  /** Of `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`. */
  groupings: string[]
  /** Labels that the query makes itself. */
  made: string[]
  /** It compares, or asks whether something is there: without that an alert is about whatever there is. */
  decides: boolean
}

const token =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|[a-zA-Z_:][\w:]*|\d+(?:\.\d+)?e[+-]?\d+|\d[\w.]*|\.\d+|\$\{\w+\}|\$\w+|=~|!~|!=|>=|<=|==|[-+*/%^<>=(){}[\],:@]|\S/g
const isName = (text: string) => /^[a-zA-Z_:]/.test(text)
const isNumber = (text: string) => /^(\d|\.\d|\$|inf$|nan$)/i.test(text)
const isString = (text: string) => /^["'`]/.test(text)
const grouping = /^(by|without)$/i
const matching = /^(on|ignoring)$/i
const joining = /^(group_left|group_right)$/i
const making = /^(label_replace|label_join|label_set|label_copy)$/
/** What asks whether something is there, or is meant to hold always. */
const deciding = /^(absent|absent_over_time|vector)$/i

/** By how tight they bind. */
const binary: RegExp[] = [
  /^(default)$/i,
  /^(if|ifnot)$/i,
  /^or$/i,
  /^(and|unless)$/i,
  /^(==|!=|<|>|<=|>=)$/,
  /^[-+]$/,
  /^([*/%]|atan2)$/i,
  /^\^$/,
]

/** @throws Error with what is wrong with it, when it is no query */
export function readQuery(text: string): Query {
  return new Reader(text.replace(/^\s*#.*$/gm, '').match(token) ?? []).whole()
}

class Reader {
  readonly #tokens: readonly string[]
  #at = 0
  readonly #query: Query = { selectors: [], groupings: [], made: [], decides: false }

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  whole(): Query {
    this.#query.decides = this.#binary(0)
    if (this.#next !== '') throw new Error(`${this.#next} stands where the end should`)
    return this.#query
  }

  get #next(): string {
    return this.#tokens[this.#at] ?? ''
  }

  #take(wanted: RegExp | string): string | undefined {
    const text = this.#next
    if (text === '' || !(typeof wanted === 'string' ? text.toLowerCase() === wanted : wanted.test(text)))
      return undefined
    this.#at++
    return text
  }

  #expect(wanted: RegExp | string, what: string): string {
    const text = this.#take(wanted)
    if (text === undefined) throw new Error(`${this.#next || 'the end'} stands where ${what} should`)
    return text
  }

  #binary(level: number): boolean {
    const operator = binary[level]
    if (!operator) return this.#unary()
    let decides = this.#binary(level + 1)
    for (let text = this.#take(operator); text !== undefined; text = this.#take(operator)) {
      const isBool = this.#take('bool') !== undefined
      if (this.#take(matching)) this.#labels()
      if (this.#take(joining) && this.#next === '(') this.#labels()
      const isRight = this.#binary(level + 1)
      const [isLeft, word] = [decides, text.toLowerCase()]
      if (/^[=!<>]/.test(word)) decides = !isBool
      else if (/^(and|unless|if|ifnot)$/.test(word)) decides = true
      else decides = word === 'or' ? isLeft && isRight : word !== 'default' && (isLeft || isRight)
    }
    return decides
  }

  #unary(): boolean {
    while (this.#take(/^[-+]$/));
    let decides = this.#primary()
    for (;;) {
      if (this.#take('[')) {
        while (this.#next !== ']') this.#expect(/^[\w.:$]/, 'a duration')
        this.#at++
        decides = false
      } else if (this.#take('offset')) {
        this.#take('-')
        this.#expect(/^(\d|\$)/, 'a duration')
      } else if (this.#take('@')) {
        if (isNumber(this.#next)) this.#at++
        else this.#primary()
      } else if (!this.#take('keep_metric_names')) return decides
    }
  }

  #primary(): boolean {
    const text = this.#next
    if (text === '(') {
      this.#at++
      const decides = this.#binary(0)
      while (this.#take(',')) this.#binary(0)
      this.#expect(')', ')')
      return decides
    }
    if (text === '{') throw new Error('a selector names no metric')
    if (isNumber(text) || isString(text)) {
      this.#at++
      return false
    }
    if (!isName(text)) throw new Error(`${text || 'the end'} stands where a value should`)
    this.#at++
    return this.#named(text)
  }

  #named(name: string): boolean {
    if (grouping.test(this.#next)) {
      this.#at++
      this.#labels()
      this.#arguments(name)
      return false
    }
    if (this.#next === '(') {
      this.#arguments(name)
      if (this.#take(grouping)) this.#labels()
      return deciding.test(name)
    }
    this.#query.selectors.push({ metric: name, matchers: this.#next === '{' ? this.#matchers() : [] })
    return false
  }

  #arguments(name: string): void {
    const begin = this.#at
    this.#expect('(', '(')
    while (!this.#take(')')) {
      this.#binary(0)
      if (!this.#take(',') && this.#next !== ')') throw new Error(`${this.#next || 'the end'} stands where ) should`)
    }
    // The label that it makes is its first string.
    if (making.test(name)) this.#query.made.push((this.#tokens.slice(begin).find(isString) ?? '').slice(1, -1))
    if (this.#take('limit')) this.#expect(/^\d/, 'a number')
  }

  #labels(): void {
    this.#expect('(', '(')
    while (!this.#take(')')) {
      this.#query.groupings.push(this.#expect(/^["'a-zA-Z_]/, 'a label'))
      if (!this.#take(',') && this.#next !== ')') throw new Error(`${this.#next || 'the end'} stands where ) should`)
    }
  }

  #matchers(): Selector['matchers'] {
    const found: Selector['matchers'] = []
    this.#expect('{', '{')
    while (!this.#take('}')) {
      const label = this.#expect(/^["'a-zA-Z_]/, 'a label')
      const op = this.#expect(/^(=|!=|=~|!~)$/, 'a comparison')
      const value = this.#expect(/^["'`]/, 'a text')
      found.push({ label, op, value: value.slice(1, -1).replaceAll('\\\\', '\\') })
      if (!this.#take(/^(,|or)$/) && this.#next !== '}')
        throw new Error(`${this.#next || 'the end'} stands where } should`)
    }
    return found
  }
}
