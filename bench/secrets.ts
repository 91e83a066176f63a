/**
 * How long it takes to look at 500 encrypted files, each decrypted, beside what an operator would do: `sops decrypt` in a loop. A
 * process does it once, so it is the first time in a process that counts.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkFiles } from '../src/lib/repo/secrets/check.ts'
import { newIdentity, recipientOf } from '../src/lib/tools/age.ts'
import { resolveTool } from '../src/lib/tools/resolve.ts'
import { whyUndecryptable } from '../src/lib/tools/sops.ts'
import { row, time } from './measure.ts'

const count = 500
/** So many of them the loop goes through. */
const sample = 50

export async function benchSecrets(): Promise<void> {
  const sops = resolveTool('sops')?.path
  if (!sops) throw new Error('sops: npm run setup')
  const identity = await newIdentity()
  const recipient = await recipientOf(identity)
  const root = mkdtempSync(join(tmpdir(), 'k8sops-bench-'))
  try {
    mkdirSync(join(root, 'kubernetes'))
    writeFileSync(
      join(root, '.sops.yaml'),
      `creation_rules:\n  - path_regex: kubernetes/\n    encrypted_regex: ^(data|stringData)$\n    mac_only_encrypted: true\n    age: ${recipient}\n`,
    )
    // Some of their own, the rest copies: that they differ is nothing that decryption is quicker by.
    const own = 20
    for (let index = 0; index < count; index++) {
      const file = join(root, `kubernetes/secret-${index}.sops.yaml`)
      if (index >= own) {
        cpSync(join(root, `kubernetes/secret-${index % own}.sops.yaml`), file)
        continue
      }
      const data = Array.from({ length: 4 }, (_, key) => `  key-${key}: value-${index}-${key}\n`).join('')
      writeFileSync(file, `apiVersion: v1\nkind: Secret\nmetadata:\n  name: secret-${index}\nstringData:\n${data}`)
      execFileSync(sops, ['encrypt', '--in-place', file], { cwd: root })
    }
    spawnSync('git', ['init', '-q'], { cwd: root })
    const started = performance.now()
    const { decrypted, findings } = await checkFiles(root, (text) => whyUndecryptable(text, identity))
    const ms = performance.now() - started
    if (decrypted !== count || findings.length > 0) throw new Error(`${decrypted} decrypted, ${findings.length} found`)
    row(`secrets check, ${count} encrypted files`, `${ms.toFixed(0)} ms`, '< 2000 ms', ms < 2000)
    // A part of them, and only once: each is a process of a tenth of a second, and the whole loop takes longer than a bench may.
    const loop = `for index in $(seq 0 ${sample - 1}); do ${sops} decrypt "${root}/kubernetes/secret-$index.sops.yaml" > /dev/null || exit 1; done`
    const taken = time({ name: 'loop', command: ['sh', '-c', loop], env: { SOPS_AGE_KEY: identity } })
    const theirs = (taken / sample) * count
    row(
      `a loop of sops decrypt (by ${sample}) / secrets check`,
      `${theirs.toFixed(0)} / ${ms.toFixed(0)} ms = ${(theirs / ms).toFixed(1)}`,
      'beside',
      true,
    )
  } finally {
    rmSync(root, { recursive: true })
  }
}
