/**
 * One bootstrapped lab of cluster `apps` for every test file that needs a healthy cluster and leaves one behind: a
 * bootstrap costs minutes, so it is paid once a ring. Files run one after the other (vitest.config.ts).
 *
 * K8SOPS_TEST_LAB=<name> takes a lab of the operator's that is bootstrapped already, and leaves it running.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { labDirectory } from '../../src/lib/config/target.ts'
import { labDown } from '../../src/lib/lab/down.ts'
import { type LabRecord, readRecord } from '../../src/lib/lab/record.ts'
import { repositoryRoot } from './lab.ts'
import { type CliEnded, startCli, told } from './lab-cli.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** State directory of the shared lab. */
    sharedLabState: string
  }
}

const cluster = 'apps'
const name = process.env.K8SOPS_TEST_LAB ?? 'shared'

/** vitest's global set-up of the ring: a place for the lab now, its end when the last file is through. */
export default function setup(project: TestProject): () => Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'k8sops-shared-lab-'))
  project.provide('sharedLabState', state)
  return async () => {
    const record = await readRecord(labDirectory({ XDG_STATE_HOME: state }, name, cluster))
    if (record) await labDown(record, false)
    rmSync(state, { recursive: true, force: true })
  }
}

export interface SharedLab {
  record: LabRecord
  /** What a command needs to find it with `--lab`. */
  env: NodeJS.ProcessEnv
  /** `--cluster apps --lab-name shared` */
  flags: string[]
  /** How its bootstrap ended, which nobody disturbed; none of a lab that was given. */
  bootstrap: CliEnded | undefined
  /** Where that bootstrap left its reports: `bootstrap.json`, `bootstrap.md`. */
  report: string
}

/**
 * The lab, brought up and bootstrapped by the first who asks: test/lab/bootstrap.test.ts in a run of the whole ring
 * (vitest.config.ts), which looks at how that went.
 */
export async function sharedLab(): Promise<SharedLab> {
  const given = process.env.K8SOPS_TEST_LAB !== undefined
  const env = { ...process.env, ...(given ? {} : { XDG_STATE_HOME: inject('sharedLabState') }) }
  const flags = ['--cluster', cluster, '--lab-name', name]
  const directory = labDirectory(env, name, cluster)
  const report = join(inject('sharedLabState'), 'bootstrap')
  const ended = join(inject('sharedLabState'), 'ended.json')
  if (!given && !existsSync(ended)) {
    const up = [join(repositoryRoot, 'bin/k8sops.js'), 'lab', 'up', ...flags, '--pace', '0.1']
    await promisify(execFile)(process.execPath, up, { cwd: repositoryRoot, env, maxBuffer: 2 ** 26 })
    const bootstrapped = await startCli(['bootstrap', ...flags, '--lab', '--report', report], { env }).ended
    writeFileSync(ended, JSON.stringify(bootstrapped))
  }
  const bootstrap = given ? undefined : (JSON.parse(readFileSync(ended, 'utf8')) as CliEnded)
  if (bootstrap && bootstrap.code !== 0) throw new Error(`the shared lab's bootstrap ended wrong:\n${told(bootstrap)}`)
  const record = await readRecord(directory)
  if (!record) throw new Error(`there is no lab ${name} of cluster ${cluster}`)
  return { record, env, flags, bootstrap, report }
}
