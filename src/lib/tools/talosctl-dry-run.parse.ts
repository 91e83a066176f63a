/** What `talosctl apply-config --dry-run` says; recorded outputs are in test/fixtures/tool-output/talosctl. */
import type { Result } from '../types.ts'

/** What applying a config would do to a machine. */
export type ApplyEffect = 'nothing' | 'no-reboot' | 'reboot'

/** @param stderr of talosctl 1.12, exit code 0; its lines of the diff begin with a space, + or - */
export function parseDryRun(stderr: string): Result<ApplyEffect> {
  if (/^No changes\.\s*$/m.test(stderr)) return { ok: true, value: 'nothing' }
  const [, how] = /^Applied configuration (with|without) a reboot \(skipped in dry-run\)/m.exec(stderr) ?? []
  if (how) return { ok: true, value: how === 'with' ? 'reboot' : 'no-reboot' }
  return {
    ok: false,
    why: 'bad-output',
    detail: 'talosctl apply-config --dry-run: it says neither "with" nor "without a reboot"',
  }
}
