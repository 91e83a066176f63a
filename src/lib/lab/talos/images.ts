/** Which installer images exist for the simulated machines, and what is in them. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument, stringify } from 'yaml'
import type { Lab } from '../types.ts'
import type { TalosSystem } from './record.ts'
import { StatusError } from './status.ts'

export interface ImageCatalog {
  /**
   * The system inside an installer image.
   * @throws StatusError with containerd's words when the image can't be had
   */
  pull(reference: string): TalosSystem
  /** Whether a registry has the image: an installer, or a component of Kubernetes as Talos runs it. */
  has(reference: string): boolean
  /** Extensions of a schematic that the lab's factory has seen. */
  schematics(): Map<string, string[]>
}

/** Newest patch that was seen to exist (talos.md 5.1, 6); a patch above it is an image that no registry has. */
const newestPatch: Record<string, number> = { '1.12': 11, '1.13': 8 }

/** The factory's id of an image without any customisation. */
export const plainSchematic = '376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba'

/** An image factory and a registry as the lab knows them: the schematics of the repository's talconfigs, and Talos's own. */
export function createImageCatalog(lab: Lab): ImageCatalog {
  const schematics = () => new Map([[plainSchematic, [] as string[]], ...readSchematics(lab)])
  return {
    schematics,
    pull(reference) {
      // The fault is about charts; it takes an image registry along only where it names that very host.
      const host = reference.split('/')[0] ?? ''
      if (lab.faults.active('registry-down')?.params?.host === host) {
        throw pullError(reference, `failed to do request: Head "https://${host}/v2/": dial tcp: i/o timeout`)
      }
      const system = missing(reference, 'node') ? undefined : installer(reference)
      if (!system) throw pullError(reference, `${reference}: not found`)
      return system
    },
    has: (reference) =>
      !missing(reference, 'registry') && (installer(reference) !== undefined || isComponent(reference)),
  }

  function installer(reference: string): TalosSystem | undefined {
    const image = parseInstallerImage(reference)
    if (!image) return undefined
    const extensions = image.schematic === '' ? [] : schematics().get(image.schematic)
    if (!extensions || !isReleased(image.version)) return undefined
    return { image: reference, version: image.version, schematic: image.schematic, extensions }
  }

  /** `image-not-found`; with `for=node` a registry that is asked beforehand still has it. */
  function missing(reference: string, asker: 'node' | 'registry'): boolean {
    const fault = lab.faults.active('image-not-found')
    if (!fault || (fault.params?.for === 'node' && asker !== 'node')) return false
    return reference.includes(fault.params?.image ?? 'installer')
  }
}

/** Hosts that images of machines come from; charts have hosts of their own. */
export const imageHosts: ReadonlySet<string> = new Set(['factory.talos.dev', 'ghcr.io', 'registry.k8s.io'])

/** Static pods and the kubelet; the minors are those that any Talos here can run. */
function isComponent(reference: string): boolean {
  const match =
    /^(?:registry\.k8s\.io\/kube-(?:apiserver|controller-manager|scheduler|proxy)|ghcr\.io\/siderolabs\/kubelet):v1\.(\d+)\.(\d+)$/.exec(
      reference,
    )
  return match !== null && Number(match[1]) >= 30 && Number(match[1]) <= 36 && Number(match[2]) <= newestComponentPatch
}

/** No minor of Kubernetes got more patches than this. */
const newestComponentPatch = 17

/** Version and schematic of `factory.talos.dev/[metal-]installer[-secureboot]/ID:vX.Y.Z` or `.../installer:vX.Y.Z`. */
export function parseInstallerImage(reference: string): { version: string; schematic: string } | undefined {
  const match =
    /^[\w.:-]+\/(?:[\w.-]+\/)*?(?:[a-z]+-)?installer(?:-secureboot)?(?:\/([0-9a-f]{64}))?:(v\d+\.\d+\.\d+[\w.-]*)$/.exec(
      reference,
    )
  const version = match?.[2]
  return version === undefined ? undefined : { version, schematic: match?.[1] ?? '' }
}

/**
 * Id that the factory gives a schematic: sha256 over its YAML in the factory's own field order (image-factory v1.4.0).
 * @param schematic as it stands in talconfig: `{customization: {systemExtensions: {officialExtensions: [...]}}}`
 */
export function schematicId(schematic: { [key: string]: unknown }): string {
  const ordered = order(schematic, ['owner', 'overlay', 'customization'])
  const customization = order(asFields(ordered.customization), [
    'embeddedMachineConfiguration',
    'extraKernelArgs',
    'meta',
    'systemExtensions',
    'bootloader',
    'secureboot',
    'diskImage',
  ])
  const text = stringify({ ...ordered, customization }, { indent: 4, indentSeq: true, lineWidth: 0 })
  return createHash('sha256').update(text).digest('hex')
}

/** The installer's preflight: which running versions may be upgraded to an image (pkg/machinery/compatibility). */
export function upgradeProblem(from: string, to: string): string | undefined {
  const host = minorOf(from)
  const target = minorOf(to)
  if (host < target - 2) return `host version ${from.slice(1)} is too old to upgrade to Talos ${to.slice(1)}`
  if (host > target + 1) return `host version ${from.slice(1)} is too new to downgrade to Talos ${to.slice(1)}`
  return undefined
}

function minorOf(version: string): number {
  return Number(/^v\d+\.(\d+)/.exec(version)?.[1] ?? Number.NaN)
}

function isReleased(version: string): boolean {
  const match = /^v(1\.\d+)\.(\d+)$/.exec(version)
  return match !== null && Number(match[2]) <= (newestPatch[match[1] ?? ''] ?? 15)
}

function pullError(reference: string, reason: string): StatusError {
  return new StatusError(
    'Unknown',
    `1 error(s) occurred:\n\tfailed to pull image ${JSON.stringify(reference)}: failed to resolve image: ${reason}`,
  )
}

/** Every `schematic:` of the cluster's talconfig, by id. Read each time: the materialised repository may be refreshed. */
function readSchematics(lab: Lab): [string, string[]][] {
  const file = join(lab.spec.root, 'talos', lab.spec.cluster, 'talconfig.yaml')
  if (!existsSync(file)) return []
  const talconfig = asFields(parseDocument(readFileSync(file, 'utf8')).toJS())
  const nodes = Array.isArray(talconfig.nodes) ? talconfig.nodes.map(asFields) : []
  return [asFields(talconfig.controlPlane), asFields(talconfig.worker), ...nodes]
    .flatMap((holder) => [holder.schematic, holder.imageSchematic])
    .filter((schematic): schematic is { [key: string]: unknown } => typeof schematic === 'object' && schematic !== null)
    .map((schematic) => [schematicId(schematic), extensionsOf(schematic)])
}

function extensionsOf(schematic: { [key: string]: unknown }): string[] {
  const official = asFields(asFields(schematic.customization).systemExtensions).officialExtensions
  return Array.isArray(official) ? official.map(String) : []
}

function asFields(value: unknown): { [key: string]: unknown } {
  return typeof value === 'object' && value !== null ? (value as { [key: string]: unknown }) : {}
}

function order(fields: { [key: string]: unknown }, keys: string[]): { [key: string]: unknown } {
  return Object.fromEntries(keys.filter((key) => fields[key] !== undefined).map((key) => [key, fields[key]]))
}
