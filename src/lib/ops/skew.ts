/** Whether client and server versions go together. Rules of the projects themselves. */
import type { KubeObject } from '../types.ts'

export interface Skew {
  status: 'ok' | 'warning' | 'unchecked' | 'broken'
  found: string
  why: string
  fix: string
}

interface Version {
  major: number
  minor: number
  patch: number
}

export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? []
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor), patch: Number(patch ?? 0) }
}

/**
 * kubectl is supported one minor older or newer than the API server (kubernetes.io, version skew policy).
 * @param versionJson body of GET /version
 */
export function kubectlSkew(client: string, versionJson: string): Skew {
  const server = gitVersion(versionJson)
  const distance = minorDistance(client, server)
  const found = `kubectl ${client}, API server ${server || 'unknown'}`
  if (distance === undefined) return { status: 'unchecked', found, why: 'a version can not be read', fix: '' }
  if (distance <= 1) return { status: 'ok', found, why: '', fix: '' }
  const fix = 'raise the older one, one minor version at a time'
  return {
    status: 'broken',
    found,
    why: 'more than one minor version apart: commands may fail or mean something else',
    fix,
  }
}

/** talosctl has the minor version of the machines (Talos docs: client and server of one version are tested together). */
export function talosSkew(client: string, running: string, wanted: string): Skew {
  const distance = minorDistance(client, running)
  const found = `talosctl ${client}, machine ${running || 'unknown'}`
  if (distance === undefined) return { status: 'unchecked', found, why: 'a version can not be read', fix: '' }
  if (distance > 1)
    return {
      status: 'broken',
      found,
      why: 'more than one minor version apart',
      fix: 'take the talosctl of the machines',
    }
  if (distance === 1) return { status: 'warning', found, why: 'one minor version apart', fix: 'upgrade the machines' }
  if (running.replace(/^v/, '') === wanted.replace(/^v/, '')) return { status: 'ok', found, why: '', fix: '' }
  return { status: 'warning', found, why: `talconfig.yaml says ${wanted}`, fix: 'upgrade the machine' }
}

/** The flux CLI speaks the APIs of its own minor version and the one before (flux2's release notes). */
export function fluxSkew(client: string, instance: KubeObject): Skew {
  const revision = String(instance.status?.lastAppliedRevision ?? '')
  const distance = minorDistance(client, revision)
  const found = `flux ${client}, controllers ${revision.split('@')[0] || 'unknown'}`
  if (distance === undefined) return { status: 'unchecked', found, why: 'the FluxInstance names no version', fix: '' }
  if (distance <= 1) return { status: 'ok', found, why: '', fix: '' }
  return { status: 'warning', found, why: 'more than one minor version apart', fix: "raise the older one's pin" }
}

function minorDistance(left: string, right: string): number | undefined {
  const [one, other] = [parseVersion(left), parseVersion(right)]
  if (!one || !other) return undefined
  return one.major === other.major ? Math.abs(one.minor - other.minor) : Number.POSITIVE_INFINITY
}

function gitVersion(versionJson: string): string {
  try {
    return (JSON.parse(versionJson) as { gitVersion?: string }).gitVersion ?? ''
  } catch {
    return ''
  }
}
