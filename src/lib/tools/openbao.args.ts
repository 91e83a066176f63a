/** Argv of OpenBao 2.5's client inside of a server's pod, and of what carries its secrets from and to 1Password without a file. */
import type { Command } from '../types.ts'

export interface VaultPod {
  namespace: string
  name: string
}

/** `-i`: what comes on stdin goes on to the program in the pod. */
const inPod = (context: string, { namespace, name }: VaultPod, program: string[]): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    '--namespace',
    namespace,
    'exec',
    '-i',
    name,
    '--container',
    'openbao',
    '--',
    ...program,
  ],
})

/** Prints recovery keys and the root token as JSON, once and never again. With a seal that opens itself there are no unseal keys. */
export function vaultInitArgs(context: string, pod: VaultPod, shares: number, threshold: number): Command {
  return inPod(context, pod, [
    'bao',
    'operator',
    'init',
    '-format=json',
    `-recovery-shares=${shares}`,
    `-recovery-threshold=${threshold}`,
  ])
}

/** @param script in the pod; it reads its secrets from stdin, a line each */
export function vaultSetupArgs(context: string, pod: VaultPod, script: string): Command {
  return inPod(context, pod, ['sh', script])
}

/** Makes 1Password's template of an item out of what `bao operator init` printed. */
export function vaultItemArgs(title: string): Command {
  return { tool: 'k8sops', args: ['platform', 'openbao-item', '--title', title] }
}

/** Keeps the item whose template comes on stdin (op 2: `-` for the template); it prints the item with its secrets concealed. */
export function createItemArgs(vault: string): Command {
  return { tool: 'op', args: ['item', 'create', '--vault', vault, '-'] }
}
