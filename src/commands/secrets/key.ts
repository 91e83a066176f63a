/** The age key of the repository, from 1Password into memory and nowhere else (NFR13). */
import type { CommandContext } from '../../lib/cli/define.ts'
import { UnreachableError } from '../../lib/errors.ts'
import { secretKeyLine } from '../../lib/tools/sops.ts'
import type { Result } from '../../lib/types.ts'

export async function readAgeKey(context: CommandContext): Promise<Result<string>> {
  const [{ ageKey }, { createOpPort }] = await Promise.all([context.repository(), import('../../lib/tools/op.ts')])
  try {
    const read = await createOpPort(await context.exec()).read(ageKey, context.signal)
    return read.ok ? { ok: true, value: secretKeyLine(read.value) } : read
  } catch (error) {
    return { ok: false, why: 'failed', detail: (error as Error).message }
  }
}

/** @throws UnreachableError when 1Password does not give it */
export async function requireAgeKey(context: CommandContext): Promise<string> {
  const key = await readAgeKey(context)
  if (key.ok) return key.value
  const { ageKey } = await context.repository()
  throw new UnreachableError(`the age key ${ageKey} can't be read from 1Password`, {
    output: key.detail,
    next: 'eval $(op signin), then the same again',
    runbook: secretsRunbook,
  })
}

export const secretsRunbook = 'docs/runbooks/secrets.md'
