/** Filters a stream of YAML documents by kind without parsing it: it is megabytes of CRDs, and must come out unchanged. */

const separator = /^---(?:[ \t].*)?\r?$/

/**
 * The documents whose top-level `kind` is one of `kinds`, each behind a `---` line, otherwise byte for byte.
 * Block style as helm and kustomize print it, or JSON, which some charts' templates produce; any other flow style is dropped.
 */
export function selectKinds(stream: string, kinds: string[]): string {
  const wanted = new Set(kinds)
  const kept: string[] = []
  let document: string[] = []
  const flush = () => {
    const kind = kindOf(document)
    if (kind && wanted.has(kind)) kept.push('---', ...document)
    document = []
  }
  for (const line of stream.replace(/\n$/, '').split('\n')) {
    if (separator.test(line)) flush()
    else document.push(line)
  }
  flush()
  return kept.length === 0 ? '' : `${kept.join('\n')}\n`
}

function kindOf(document: string[]): string | undefined {
  const start = document.find((line) => /^[^\s#]/.test(line))
  if (!start?.startsWith('{')) {
    return document
      .map((line) => /^kind:[ \t]*["']?([A-Za-z0-9]+)["']?[ \t]*(?:#.*)?\r?$/.exec(line)?.[1])
      .find(Boolean)
  }
  try {
    const body = document.filter((line) => !/^\s*#/.test(line)).join('\n')
    return (JSON.parse(body) as { kind?: string }).kind
  } catch {
    return undefined
  }
}
