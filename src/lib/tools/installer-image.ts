/** Installer images: what talhelper makes of talconfig.yaml, and what such a reference says. */
import { ToolError } from '../errors.ts'
import type { Exec } from '../exec/types.ts'
import { installerImagesArgs } from './talhelper.args.ts'

export interface InstallerImage {
  /** Without tag, `factory.talos.dev/metal-installer/<schematic>`. */
  repository: string
  /** Of the image factory, 64 hex digits; empty for another image. */
  schematic: string
  /** `v1.12.11` */
  version: string
}

/**
 * Images by hostname.
 * @param talconfig path relative to the root that `exec` runs in
 * @throws ToolError when talhelper fails or prints something else
 */
export async function installerImages(
  exec: Exec,
  talconfig: string,
  signal?: AbortSignal,
): Promise<Map<string, InstallerImage>> {
  const pipeline = [installerImagesArgs(talconfig)]
  const result = await exec({ pipeline, timeoutSec: 60, ...(signal ? { signal } : {}) })
  const images = new Map<string, InstallerImage>()
  for (const line of result.stdout.split('\n').filter((text) => text.trim())) {
    const [, hostname, reference = ''] = /^(\S+): (\S+)$/.exec(line) ?? []
    const image = parseInstallerImage(reference)
    if (hostname && image) images.set(hostname, image)
  }
  if (result.exitCode === 0 && images.size > 0) return images
  throw new ToolError(`talhelper tells no installer images for ${talconfig}`, {
    command: result.line,
    output: result.tail.join('\n'),
  })
}

/** Undefined for a reference without a tag. */
export function parseInstallerImage(reference: string): InstallerImage | undefined {
  const [, repository, version] = /^([^@]+\/[^@:]+):(v[^:/@]+)$/.exec(reference) ?? []
  if (!repository || !version) return undefined
  return { repository, version, schematic: /\/([0-9a-f]{64})$/.exec(repository)?.[1] ?? '' }
}
