import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that share labs by name: bootstrap.test.ts and infra-faults.test.ts see theirs before others have used it. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    if (!sorted.every(({ project }) => project.name.startsWith('lab'))) return sorted
    return sorted.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId))
  }
}

/**
 * One project a ring (design section 7); a ring is run alone with `vitest run --project unit`.
 * @param testTimeout milliseconds after which a test hangs, on a machine that is busy with much else; how fast things are is for bench/
 */
const ring = (name: string, testTimeout: number, extra: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...extra },
})

export default defineConfig({
  test: {
    sequence: { sequencer: ByName },
    // What a list should not have is told: of a run on another machine the message is all that is kept.
    chaiConfig: { truncateThreshold: 1500 },
    projects: [
      ring('unit', 60_000),
      ring('golden', 120_000),
      ring('tools', 300_000),
      ring('repo', 300_000),
      // The lab ring, in two lanes that run beside each other, in each one file at a time: a lab takes about 1 GB and one core.
      // Files that share one bootstrapped lab of apps, and files that bring up labs of their own or share one of infra.
      ring('lab', 1_200_000, {
        include: ['test/lab/*.test.ts'],
        fileParallelism: false,
        globalSetup: ['test/helpers/shared-lab.ts'],
      }),
      ring('lab-own', 1_200_000, {
        include: ['test/lab/own/*.test.ts'],
        fileParallelism: false,
        globalSetup: ['test/helpers/shared-lab.ts'],
      }),
    ],
  },
})
