/**
 * A lab's number N gives it the addresses 127.13.N.x. Two labs must never share one, not even when they belong to
 * different state directories, so the claim is a listening socket on 127.13.N.1: the kernel lets only one have it, and
 * takes it back when its holder dies.
 */
import { createServer, type Server } from 'node:net'

export const highestNumber = 250
/** Held for as long as the lab runs; nothing is ever sent over it. */
export const claimPort = 2300

/** The address of the lab's own servers. */
export const baseAddress = (number: number) => `127.13.${number}.1`

/** What is dialled in place of a real address: its last octet in the lab's network. */
export function mappedAddress(real: string, number: number): string {
  return `127.13.${number}.${real.slice(real.lastIndexOf('.') + 1)}`
}

/** The claim on a number, or undefined when another lab holds it. Close the server to give it back. */
export function claimNumber(number: number): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>()
  const server = createServer((socket) => socket.destroy())
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') resolve(undefined)
    else reject(error)
  })
  // exclusive: without it a clustered parent could share the handle.
  server.listen({ host: baseAddress(number), port: claimPort, exclusive: true }, () => resolve(server))
  return promise
}

/**
 * The first number that nobody holds, with its claim.
 * @param taken numbers of labs that exist but don't run now; they keep their addresses
 * @throws Error when all 250 are in use
 */
export async function claimFreeNumber(taken: ReadonlySet<number>): Promise<{ number: number; claim: Server }> {
  for (let number = 1; number <= highestNumber; number++) {
    if (taken.has(number)) continue
    const claim = await claimNumber(number)
    if (claim) return { number, claim }
  }
  throw new Error(`all ${highestNumber} lab numbers are in use`)
}
