/** Argv of git 2.39 for what a rollout writes. Nothing here forces a ref: the remote refuses whatever does not follow from what it has. */
import type { Command } from '../types.ts'

const git = (args: string[]): Command => ({ tool: 'git', args })

/** Moves a branch of the remote forward to a commit. The remote compares and swaps: of two pushes at once one is refused. */
export const pushBranchArgs = (remote: string, commit: string, branch: string): Command =>
  git(['push', '--porcelain', remote, `${commit}:refs/heads/${branch}`])

/** Sends notes as they are here. */
export const pushNotesArgs = (remote: string, ref: string): Command =>
  git(['push', '--porcelain', remote, `${ref}:${ref}`])

/** The note on a commit is what comes on stdin; one that is there already is replaced. It is k8sops that writes it, whoever runs it. */
export const addNoteArgs = (ref: string, commit: string): Command =>
  git([
    '-c',
    'user.name=k8sops',
    '-c',
    'user.email=k8sops@localhost',
    'notes',
    `--ref=${ref}`,
    'add',
    '--force',
    '--file=-',
    commit,
  ])
