/** Commands on the rollout: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const rolloutCommands: CommandEntry[] = [
  {
    path: 'rollout check-post',
    summary: 'Put a check on a commit at GitHub',
    hidden: true,
    load: async () => (await import('./check-post.ts')).rolloutCheckPost,
  },
  {
    path: 'rollout history',
    summary: 'List what was released, on what evidence',
    load: async () => (await import('./history.ts')).rolloutHistory,
  },
  {
    path: 'rollout hold',
    summary: 'Let nothing go on from the first cluster for a while',
    load: async () => (await import('./hold.ts')).rolloutHold,
  },
  {
    path: 'rollout hotfix land',
    summary: 'Release a hotfix, and nothing that has not soaked with it',
    load: async () => (await import('./land.ts')).rolloutHotfixLand,
  },
  {
    path: 'rollout hotfix start',
    summary: 'Make a branch at what the clusters behind run',
    load: async () => (await import('./land.ts')).rolloutHotfixStart,
  },
  {
    path: 'rollout promote',
    summary: 'Let a commit go on now',
    load: async () => (await import('./promote.ts')).rolloutPromote,
  },
  {
    path: 'rollout rollback',
    summary: 'Take back what was released',
    load: async () => (await import('./land.ts')).rolloutRollback,
  },
  {
    path: 'rollout stamp',
    summary: 'Print a text with the time in it',
    hidden: true,
    load: async () => (await import('./stamp.ts')).rolloutStamp,
  },
  {
    path: 'rollout status',
    summary: 'Show what waits for its soak, and what keeps it',
    load: async () => (await import('./status.ts')).rolloutStatus,
  },
  {
    path: 'rollout tick',
    summary: 'Look at the first cluster, record it as evidence, and let go on what has soaked',
    load: async () => (await import('./tick.ts')).rolloutTick,
  },
  {
    path: 'rollout unhold',
    summary: 'End the hold of the rollout',
    load: async () => (await import('./hold.ts')).rolloutUnhold,
  },
  {
    path: 'rollout verify',
    summary: 'Check on what evidence a commit was released',
    load: async () => (await import('./verify.ts')).rolloutVerify,
  },
]
