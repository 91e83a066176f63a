import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { defineCommand } from '../../lib/cli/define.ts'
import { storeEncrypted } from '../../lib/tools/encrypted-file.ts'

export const sopsStore = defineCommand({
  path: 'sops store',
  summary: 'Keep the encrypted file on standard input: whole or not at all, never over an old one',
  effect: 'local',
  scope: 'none',
  args: { file: 'where to keep it; must not exist yet' },
  examples: [
    'talhelper gensecret | sops encrypt --filename-override talos/apps/talsecret.sops.yaml --input-type yaml --output-type yaml | k8sops sops store talos/apps/talsecret.sops.yaml',
  ],
  async run({ args, cwd, note }) {
    const file = resolve(cwd, args.file ?? '')
    await storeEncrypted(file, await text(process.stdin))
    note(`${file} is kept`)
    return undefined
  },
})
