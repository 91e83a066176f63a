import type { Redactor } from './types.ts'

/** Shorter values are ordinary words often enough that removing them would make logs unreadable. */
const shortestSecret = 6
const mark = '[redacted]'

/**
 * A set of secrets that only grows, and the function that takes them out of text. Text must come in whole lines:
 * a secret that is cut in two is not seen.
 */
export function createRedactor(): Redactor {
  const secrets = new Set<string>()
  let ordered: string[] = []

  const register = (value: string) => {
    if (value.length >= shortestSecret) secrets.add(value)
  }

  return {
    add(secret) {
      const trimmed = secret.trim()
      for (const form of [trimmed, Buffer.from(trimmed).toString('base64'), Buffer.from(secret).toString('base64')])
        register(form)
      // A private key has many lines, and a log shows one line at a time.
      for (const line of trimmed.split('\n')) register(line.trim())
      // Longest first, so that a secret that contains another goes as a whole.
      ordered = [...secrets].sort((a, b) => b.length - a.length)
    },
    redact(text) {
      let clean = text
      for (const secret of ordered) clean = clean.replaceAll(secret, mark)
      return clean
    },
  }
}

/**
 * The secret values in what `op inject` printed: what differs from its template, line by line. Returns whole values
 * (`token: abc` gives `abc`); lines that the template has verbatim are no secrets.
 */
export function injectedSecrets(output: string, template: string): string[] {
  const known = new Set(template.split('\n').map((line) => line.trim()))
  return output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !known.has(line))
    .map((line) => line.replace(/^(?:- )?[\w./-]+:\s+/, '').replace(/^(["'])(.*)\1$/, '$2'))
}
