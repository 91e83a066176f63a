/** Which system extensions Git wants on a node: what talconfig.yaml's `schematic` names (talhelper 3.1: a node's replaces its group's). */
import { layout } from '../repo/layout.ts'
import type { Problem } from '../types.ts'
import { readYaml } from './document.ts'

type Fields = { [key: string]: unknown }

/**
 * Extensions by hostname, as the image factory names them (`siderolabs/intel-ucode`). A node whose file names none has an
 * empty list. Empty when the file can't be read: that is told where the repository is loaded.
 */
export async function readExtensions(root: string, cluster: string): Promise<Map<string, string[]>> {
  const problems: Problem[] = []
  const talconfig = fields((await readYaml(root, layout.talconfig(cluster), problems))?.data)
  const nodes = Array.isArray(talconfig.nodes) ? talconfig.nodes.map(fields) : []
  return new Map(
    nodes.map((node) => {
      const group = fields(node.controlPlane === true ? talconfig.controlPlane : talconfig.worker)
      return [String(node.hostname), officialExtensions(node.schematic ?? group.schematic)]
    }),
  )
}

function officialExtensions(schematic: unknown): string[] {
  const names = fields(fields(fields(schematic).customization).systemExtensions).officialExtensions
  return Array.isArray(names) ? names.map(String) : []
}

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
