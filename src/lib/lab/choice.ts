/** Which lab a command means. Its directory decides, not the repository: a lab can be looked at and ended from anywhere. */
import { labNameOf } from '../config/target.ts'
import { UsageError } from '../errors.ts'
import { type LabRecord, listRecords } from './record.ts'

export interface LabChoice {
  labName?: string | undefined
  /** One cluster, or `all`. */
  cluster?: string | undefined
}

/** Every lab that fits; without a name given anywhere, those of all names. */
export async function labsOf({ labName, cluster }: LabChoice, env: NodeJS.ProcessEnv): Promise<LabRecord[]> {
  const named = labName ?? (env.K8SOPS_LAB_NAME || undefined)
  const records = await listRecords(env, named)
  return records.filter((record) => cluster === undefined || cluster === 'all' || record.cluster === cluster)
}

/**
 * The one lab that is meant: of that cluster, or the only one of that name.
 * @throws UsageError when there is none, or more than one to choose from
 */
export async function oneLab(choice: LabChoice, env: NodeJS.ProcessEnv): Promise<LabRecord> {
  const name = labNameOf({ labName: choice.labName, env })
  const records = await labsOf({ ...choice, labName: name }, env)
  const [first] = records
  if (first && records.length === 1) return first
  const up = `k8sops lab up${choice.cluster ? ` --cluster ${choice.cluster}` : ''}${name === 'default' ? '' : ` --lab-name ${name}`}`
  if (!first)
    throw new UsageError(`there is no lab ${name}${choice.cluster ? ` of cluster ${choice.cluster}` : ''}`, {
      next: up,
    })
  throw new UsageError(`lab ${name} has several clusters`, {
    next: `--cluster, one of: ${records.map(({ cluster }) => cluster).join(', ')}`,
  })
}
