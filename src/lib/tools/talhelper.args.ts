/** Argv of talhelper 3.1. */
import type { Command } from '../types.ts'

export interface GenconfigPaths {
  talconfig: string
  talsecret: string
  /** Directory for one machine config per node and the talosconfig. */
  out: string
}

/**
 * Offline, because without that flag genconfig posts every schematic to factory.talos.dev and fails when it can't.
 * The caller makes sure that the secrets file is there: without it talhelper 3.1.16 mints a new PKI and exits 0.
 * @param ageKey 1Password reference of the key that the secrets are encrypted to
 */
export function genconfigArgs(paths: GenconfigPaths, ageKey: string): Command {
  return {
    tool: 'talhelper',
    args: ['genconfig', '--offline-mode', '-c', paths.talconfig, '-s', paths.talsecret, '-o', paths.out],
    secretEnv: { SOPS_AGE_KEY: ageKey },
  }
}

/** A new cluster's secrets, in plain text on stdout: only ever piped into sops. */
export function gensecretArgs(): Command {
  return { tool: 'talhelper', args: ['gensecret'] }
}

/**
 * The installer image of every node, `<hostname>: <image>` a line. Offline, the schematic's id is computed here; otherwise
 * talhelper posts the schematic to the factory, and without network 3.1.16 prints nothing and exits 0 in some commands.
 */
export function installerImagesArgs(talconfig: string): Command {
  return { tool: 'talhelper', args: ['genurl', 'installer', '--offline-mode', '-c', talconfig] }
}
