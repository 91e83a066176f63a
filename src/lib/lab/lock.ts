/** One `lab up` or `lab down` at a time for a lab. */
import { createServer } from 'node:net'
import { LockedError } from '../errors.ts'

/**
 * The lock is an abstract socket: no file, and gone with the process.
 * @returns how to give it back
 * @throws LockedError when another process has it
 */
export async function lockLab(dir: string): Promise<() => void> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', (error: NodeJS.ErrnoException) => {
    const taken = error.code === 'EADDRINUSE'
    reject(
      taken ? new LockedError(`another k8sops lab command works on ${dir}`, { next: 'wait for it to end' }) : error,
    )
  })
  // Its name may have 107 bytes; the end of a path tells labs apart.
  server.listen(`\0k8sops-lab:${dir.slice(-90)}`, resolve)
  await promise
  return () => server.close()
}
