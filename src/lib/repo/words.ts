/** Texts as expressions. */

/** An expression for a text as it is. */
export const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** One that finds any of them, wherever it stands: to pass over most texts at once. */
export const anyOf = (words: Iterable<string>): RegExp => new RegExp([...words].map(literal).join('|') || '(?!)')
