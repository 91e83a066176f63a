/** Age keys in memory. An identity is never written anywhere by this program, and never an argument of another. */

/** `age1...` of an identity. @throws when it is none */
export async function recipientOf(identity: string): Promise<string> {
  const { identityToRecipient } = await import('age-encryption')
  return identityToRecipient(identity)
}

/** `AGE-SECRET-KEY-1...` */
export async function newIdentity(): Promise<string> {
  const { generateIdentity } = await import('age-encryption')
  return generateIdentity()
}
