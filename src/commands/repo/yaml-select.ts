import { once } from 'node:events'
import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { selectKinds } from '../../lib/repo/select.ts'

/** A filter for pipelines of plans, where a person would have to install yq. */
export const yamlSelect = defineCommand({
  path: 'yaml select',
  summary: 'Copy only the YAML documents of some kinds from stdin to stdout',
  effect: 'local',
  scope: 'none',
  options: [{ flags: '--kind <kinds>', description: 'kinds to keep, comma-separated' }],
  examples: ['helmfile template --include-crds | k8sops yaml select --kind CustomResourceDefinition'],
  async run({ options }) {
    const kinds = typeof options.kind === 'string' ? options.kind.split(',').filter(Boolean) : []
    if (kinds.length === 0) throw new UsageError('--kind is missing', { next: 'k8sops yaml select --help' })
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
    const text = selectKinds(Buffer.concat(chunks).toString('utf8'), kinds)
    if (!process.stdout.write(text)) await once(process.stdout, 'drain')
    return undefined
  },
})
