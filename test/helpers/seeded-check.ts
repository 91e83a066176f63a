/** fast-check, with its values from the tests' seed. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { seed } from './seed.ts'

fc.configureGlobal({ seed: createHash('sha256').update(seed).digest().readInt32BE() })

export { fc }
