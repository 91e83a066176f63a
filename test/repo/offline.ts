/** An environment in which no registry answers, at once: what a test finds must not depend on the network, or on what was cached. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Nothing listens on the discard port. */
const nobody = 'http://127.0.0.1:9'

export const offline: NodeJS.ProcessEnv = {
  ...process.env,
  HTTPS_PROXY: nobody,
  HTTP_PROXY: nobody,
  FLATE_CACHE_DIR: mkdtempSync(join(tmpdir(), 'k8sops-flate-')),
}
