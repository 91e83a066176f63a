/** kwok's Stages: lab/stages/*.yaml, with their delays scaled by the lab's pace. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import type { LabApi } from '../api.ts'
import type { Manifest } from '../kube/writer.ts'

/** `lab/stages` of this project. */
export const stagesDir = join(import.meta.dirname, '../../../../lab/stages')

interface StageDelay {
  durationMilliseconds?: number
  jitterDurationMilliseconds?: number
}

/**
 * The Stages (and other objects) of some files, ready to be applied.
 * @param files names in lab/stages
 * @param pace factor on each delay
 */
export async function loadStages(files: string[], pace: number): Promise<Manifest[]> {
  const texts = await Promise.all(files.map((file) => readFile(join(stagesDir, file), 'utf8')))
  return (
    texts
      .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest | null))
      .filter((object) => object !== null)
      // One document with a list lets Stages share a template by a YAML anchor.
      .flatMap((object) => (object.kind === 'List' ? (object.items as Manifest[]) : [object]))
      .map((object) => paced(object, pace))
  )
}

function paced(object: Manifest, pace: number): Manifest {
  const spec = object.spec as { delay?: StageDelay } | undefined
  if (object.kind !== 'Stage' || !spec?.delay) return object
  const scaled = (value: number | undefined) => (value === undefined ? undefined : Math.round(value * pace))
  const { durationMilliseconds, jitterDurationMilliseconds, ...rest } = spec.delay
  return {
    ...object,
    spec: {
      ...spec,
      delay: {
        ...rest,
        ...(durationMilliseconds === undefined ? {} : { durationMilliseconds: scaled(durationMilliseconds) }),
        ...(jitterDurationMilliseconds === undefined
          ? {}
          : { jitterDurationMilliseconds: scaled(jitterDurationMilliseconds) }),
      },
    },
  }
}

/** The files about nodes and pods: they need no CRD but that of Stage itself. */
export async function coreStageFiles(): Promise<string[]> {
  return (await readdir(stagesDir)).filter((file) => /^(node|pod).*\.yaml$/.test(file)).sort()
}

const servedDeadlineMs = 20_000

/** Makes the API server serve Stage, then applies the Stages of nodes and pods. */
export async function applyCoreStages(api: LabApi, pace: number): Promise<void> {
  const [crd] = await loadStages(['stage-crd.yaml'], pace)
  if (!crd) throw new Error('lab/stages/stage-crd.yaml is empty')
  await api.apply(crd)
  const stages = await loadStages(await coreStageFiles(), pace)
  const deadline = Date.now() + servedDeadlineMs
  for (;;) {
    try {
      await Promise.all(stages.map((stage) => api.apply(stage)))
      return
    } catch (error) {
      // Established a moment after it was created; discovery doesn't announce it.
      if (Date.now() > deadline) throw error
      await delay(100)
    }
  }
}
