/**
 * One bootstrapped lab a cluster for every test file of a ring that needs a healthy cluster and leaves one behind: a
 * bootstrap costs minutes, so it is paid once a ring. Files run one after the other (vitest.config.ts).
 *
 * K8SOPS_TEST_LAB=<name> takes labs of the operator's that are bootstrapped already, and leaves them running.
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

const clusters = ['apps', 'infra'] as const
type Cluster = (typeof clusters)[number]
const given = process.env.K8SOPS_TEST_LAB !== undefined
const name = process.env.K8SOPS_TEST_LAB ?? 'shared'

/** vitest's global set-up of a ring: a place for its labs now, their end when the last file is through. */
export default function setup(project: TestProject): () => Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'k8sops-shared-lab-'))
  project.provide('sharedLabState', state)
  return async () => {
    for (const cluster of clusters) await down(state, cluster)
    rmSync(state, { recursive: true, force: true })
  }
}

/** For the last file that needs it: an idle lab takes an eighth of a core from those that come after. */
export async function sharedLabDown(cluster: Cluster): Promise<void> {
  if (!given) await down(inject('sharedLabState'), cluster)
}

async function down(state: string, cluster: Cluster): Promise<void> {
  const record = await readRecord(labDirectory({ XDG_STATE_HOME: state }, name, cluster))
  if (record) await labDown(record, false)
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

/** Where the ring's labs are, and what one of them is called on the command line. */
export function sharedPlace(cluster: Cluster) {
  const state = inject('sharedLabState')
  const env = { ...process.env, ...(given ? {} : { XDG_STATE_HOME: state }) }
  return { state, env, name, flags: ['--cluster', cluster, '--lab-name', name] }
}

/** The lab's machines, brought up by the first who asks. */
export async function sharedLabUp(cluster: Cluster): Promise<LabRecord> {
  const { env, flags } = sharedPlace(cluster)
  const directory = labDirectory(env, name, cluster)
  if (!given && !(await readRecord(directory))) {
    const up = [join(repositoryRoot, 'bin/k8sops.js'), 'lab', 'up', ...flags, '--pace', '0.1']
    await promisify(execFile)(process.execPath, up, { cwd: repositoryRoot, env, maxBuffer: 2 ** 26 })
  }
  const record = await readRecord(directory)
  if (!record) throw new Error(`there is no lab ${name} of cluster ${cluster}`)
  return record
}

/**
 * The lab, bootstrapped by the first who asks: test/lab/bootstrap.test.ts in a run of the ring lab, which looks at how
 * that went; in ring lab-own infra by test/lab/own/infra-faults.test.ts, in its own way (vitest.config.ts has the order).
 */
export async function sharedLab(cluster: Cluster = 'apps'): Promise<SharedLab> {
  const { state, env, flags } = sharedPlace(cluster)
  const record = await sharedLabUp(cluster)
  const report = join(state, `bootstrap-${cluster}`)
  const ended = join(state, `ended-${cluster}.json`)
  if (!given && !existsSync(ended)) {
    const bootstrapped = await startCli(['bootstrap', ...flags, '--lab', '--report', report], { env }).ended
    writeFileSync(ended, JSON.stringify(bootstrapped))
  }
  const bootstrap = given ? undefined : (JSON.parse(readFileSync(ended, 'utf8')) as CliEnded)
  if (bootstrap && bootstrap.code !== 0) throw new Error(`the shared lab's bootstrap ended wrong:\n${told(bootstrap)}`)
  return { record, env, flags, bootstrap, report }
}
