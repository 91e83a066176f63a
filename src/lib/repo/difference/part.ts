/** What of two trees can differ in what it renders to: only that is rendered, on both sides. */
import type { Change } from '../affected.ts'
import { builtWith } from '../affected.ts'
import { type FluxKustomization, nameOf } from '../flux.ts'
import { reachedFiles } from '../reach.ts'
import type { RenderedKustomization } from '../render.ts'
import type { SourceFile } from '../source-files.ts'

/** One side of one cluster. */
export interface ListedSide {
  files: ReadonlyMap<string, SourceFile>
  listed: RenderedKustomization[]
}

/** @param changed paths that differ @returns `namespace/name` of the Kustomizations that have to be compared */
export function comparedKustomizations(
  changed: readonly string[],
  sides: readonly [ListedSide, ListedSide],
): Set<string> {
  const [before, after] = sides
  const built = new Set([...builtFrom(changed, before, after.files), ...builtFrom(changed, after, before.files)])
  // An image is gone, or new, when nobody else has it either: whoever names one of theirs is looked at, too.
  const images = new Set(
    sides.flatMap((side) =>
      kustomizationsOf(side)
        .filter((one) => built.has(nameOf(one)))
        .flatMap((one) => textsOf(one, side).flatMap(imagesIn)),
    ),
  )
  const names = (side: ListedSide) =>
    kustomizationsOf(side)
      .filter((one) => textsOf(one, side).some((text) => imagesIn(text).some((image) => images.has(image))))
      .map(nameOf)
  return new Set([...built, ...sides.flatMap(names)])
}

const kustomizationsOf = ({ listed }: ListedSide): FluxKustomization[] =>
  listed.map(({ kustomization }) => kustomization)

function builtFrom(changed: readonly string[], side: ListedSide, others: ListedSide['files']): string[] {
  const before = new Map(changed.flatMap((path) => (others.has(path) ? [[path, others.get(path) as SourceFile]] : [])))
  const change: Change = { files: new Set(changed), before }
  return [...builtWith(change, kustomizationsOf(side), side.files).kustomizations].map(nameOf)
}

const textsOf = ({ spec }: FluxKustomization, { files }: ListedSide): string[] =>
  [...reachedFiles(files, spec)].map((path) => files.get(path)?.text ?? '')

/** Names without their tags, of containers and of charts' values. */
const imagesIn = (text: string): string[] =>
  [...text.matchAll(/\b(?:image|imageName|repository):[ \t]*["']?([\w./-]*\/[\w./-]+)/g)].map(([, name = '']) => name)
