import { defineCommand } from '../lib/cli/define.ts'
import { completeWords } from './complete-words.ts'

export const completion = defineCommand({
  path: 'completion',
  summary: 'Print the completion script of a shell',
  effect: 'local',
  scope: 'none',
  args: { shell: 'bash, zsh or fish' },
  completeArgs: { shell: () => ['bash', 'zsh', 'fish'] },
  examples: ['source <(k8sops completion bash)', 'k8sops completion fish > ~/.config/fish/completions/k8sops.fish'],
  async run({ args, out }) {
    const { completionScript } = await import('../lib/cli/completion-scripts.ts')
    out(completionScript(args.shell!))
    return undefined
  },
})

/** Listed for completeness; src/main.ts answers a Tab itself, before the command line is parsed. */
export const complete = defineCommand({
  path: '__complete',
  summary: 'Names for the shell completion',
  effect: 'local',
  scope: 'none',
  args: { 'words...?': 'the words of the command line; the last one is being typed' },
  passThrough: true,
  examples: [],
  async run({ rest, out, cwd }) {
    out(await completeWords(rest.words ?? [], cwd))
    return undefined
  },
})
