/** The edits are tried on this repository's own files, which have comments, anchors and flow lists of every kind. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { lineDifference } from '../../src/lib/tools/line-difference.ts'
import { namesNode, withNode, withoutNode } from '../../src/lib/tools/talconfig-edit.ts'

interface Talconfig {
  nodes: { hostname: string; ipAddress: string }[]
}
const read = (cluster: string) =>
  readFileSync(join(import.meta.dirname, '../../talos', cluster, 'talconfig.yaml'), 'utf8')
const names = (text: string) => (parse(text) as Talconfig).nodes.map(({ hostname }) => hostname)

describe.each(['apps', 'infra'])('talconfig.yaml of %s', (cluster) => {
  const text = read(cluster)
  const meaning = parse(text) as Talconfig

  it.each(names(text))('without %s says the same of all others', (hostname) => {
    const edited = withoutNode(text, hostname)
    expect(parse(edited)).toEqual({ ...meaning, nodes: meaning.nodes.filter((node) => node.hostname !== hostname) })
    expect(namesNode(edited, hostname)).toBe(false)
  })

  it('keeps every other line as it is', () => {
    const last = names(text).at(-1) ?? ''
    const added = lineDifference('x', text, withoutNode(text, last))
      .split('\n')
      .filter((line) => /^\+(?!\+\+)/.test(line))
    expect(added).toEqual([])
  })

  it('gets a node like another, behind the last of its role, with what differs marked', () => {
    const like = names(text)[0] ?? ''
    const edited = withNode(text, { hostname: 'new', address: '10.25.99.17', like })
    const node = (parse(edited) as Talconfig).nodes.find(({ hostname }) => hostname === 'new')
    const source = JSON.stringify(meaning.nodes[0])
    const old = meaning.nodes[0]?.ipAddress ?? ''
    expect(JSON.stringify(node)).toBe(source.replaceAll(`"${old}`, '"10.25.99.17').replace(`"${like}"`, '"new"'))
    expect(names(edited).indexOf('new')).toBe(3)
    expect(edited).toContain('CONFIRM: permanent address of the port; `talosctl -n 10.25.99.17 get links --insecure`')
    expect(withoutNode(edited, 'new')).toBe(text)
  })
})

it('refuses what would make no sense', () => {
  const text = read('apps')
  const like = 'apps-w1'
  expect(() => withoutNode(text, 'nobody')).toThrow('has no node nobody')
  expect(() => withNode(text, { hostname: 'apps-w1', address: '10.0.0.1', like })).toThrow('has a node apps-w1 already')
  expect(() => withNode(text, { hostname: 'new', address: '10.25.13.11', like })).toThrow(
    '10.25.13.11 is apps-cp1 already',
  )
  expect(() => withNode(text, { hostname: 'new', address: '10.0.0.1', like: 'nobody' })).toThrow(
    'no node nobody to copy',
  )
})
