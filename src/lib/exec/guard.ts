/**
 * What ends a run's processes when this one is killed with SIGKILL. `setpriv --pdeathsig` reaches direct children only;
 * helm started by helmfile would go on writing without a lock holder.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'

/**
 * Waits for the end of its standard input, which comes when we are gone for whatever reason, then kills whatever carries
 * its mark until a look finds nothing (a process may fork between look and signal). -z takes the NUL-separated entries
 * of environ as lines; GNU grep and busybox have it. Its exit code tells nothing: it is 2 whenever a process went away
 * between the listing and the look, found or not.
 */
const script = `
while read -r _; do :; done
for _ in 1 2 3 4 5; do
  found=$(grep -lsxzF "K8SOPS_GUARD=$0" /proc/[0-9]*/environ)
  [ -n "$found" ] || exit 0
  for file in $found; do pid=\${file#/proc/}; kill -KILL "\${pid%/environ}" 2>/dev/null; done
done`

export interface Guard {
  /**
   * For ExecRequest.guard. Not the run's id: a guard is still looking for what is left of a process that ended a moment
   * ago when the next one goes on with the same run, and must not take that one's children.
   */
  mark: string
  /** It is over: the guard ends what is left (nothing, as a rule) and goes. */
  release: () => void
}

/** Starts the guard of one execution of a run. Linux only: elsewhere resume alone looks for survivors. */
export function startGuard(): Guard {
  const mark = randomUUID()
  if (process.platform !== 'linux') return { mark, release: () => {} }
  // Own session, so that a Ctrl-C or a SIGKILL to our process group doesn't take the guard along.
  const child = spawn('/bin/sh', ['-c', script, mark], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
  })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  // A pipe that keeps the event loop alive would keep a finished program from ending.
  ;(child.stdin as unknown as { unref: () => void }).unref()
  return { mark, release: () => child.stdin.end() }
}
