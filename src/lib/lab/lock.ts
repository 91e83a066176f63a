/** One `lab up` or `lab down` at a time for a lab. */
import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { LockedError } from '../errors.ts'

/** A process that was killed is gone from /proc with its first thread, and holds its sockets until its last one (seen on a busy machine). */
const lettingGoMs = 2_000

/**
 * Takes what a process may hold that was killed a moment ago.
 * @param take undefined while somebody has it
 * @returns undefined when somebody still has it after two seconds: that one lives
 */
export async function takeOnceLetGo<T>(take: () => Promise<T | undefined>): Promise<T | undefined> {
  for (const begun = performance.now(); ; await delay(20)) {
    const taken = await take()
    if (taken !== undefined || performance.now() - begun > lettingGoMs) return taken
  }
}

/**
 * The lock is an abstract socket: no file, and gone with the process.
 * @returns how to give it back
 * @throws LockedError when another process has it
 */
export async function lockLab(dir: string): Promise<() => void> {
  // Its name may have 107 bytes; the end of a path tells labs apart.
  const server = await takeOnceLetGo(() => listen(`\0k8sops-lab:${dir.slice(-90)}`))
  if (!server) throw new LockedError(`another k8sops lab command works on ${dir}`, { next: 'wait for it to end' })
  return () => server.close()
}

/** @returns undefined when another process listens there */
async function listen(name: string): Promise<Server | undefined> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>()
  server.once('error', (error: NodeJS.ErrnoException) =>
    error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
  )
  server.listen(name, () => resolve(server))
  return promise
}
