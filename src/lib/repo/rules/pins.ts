/** Everything that comes from outside is pinned, so that the same commit gives the same cluster (NFR26). */
import { type Leaf, leaves, textAt } from '../fields.ts'
import { layout } from '../layout.ts'
import type { Finding } from '../locate.ts'
import { about, aboutRelease, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RepositoryView } from './view.ts'

const why = 'What floats changes without a commit: no review, no rollout, no way back'

export const pinRules: Rule[] = [
  {
    id: 'chart-pinned',
    demands: 'Every chart has an exact version',
    why,
    fix: 'Name one version, `tag: 1.2.3`; Renovate moves it',
    source: 'NFR26',
    scope: 'any',
    looksAt: 'itself',
    check: each(({ releases }) =>
      releases
        .filter(({ release }) => !exactVersion.test(release.version))
        .map(({ release }) => aboutRelease(release, `chart version ${release.version || '(none)'} is not exact`)),
    ),
  },
  {
    id: 'source-pinned',
    demands: 'An OCIRepository has a tag or digest, a GitRepository of somebody else a tag or commit',
    why,
    fix: 'spec.ref.tag, spec.ref.digest or spec.ref.commit',
    source: 'NFR26',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) => [
      ...ofKind(cluster, 'OCIRepository')
        .filter((one) => !['tag', 'digest'].some((key) => !isFloating(textAt(one.object(), `spec.ref.${key}`))))
        .map((one) => about(one, 'has neither an exact tag nor a digest', ['spec', 'ref'])),
      ...ofKind(cluster, 'GitRepository')
        .filter((one) => textAt(one.object(), 'spec.url') !== cluster.settings.GIT_URL)
        .filter((one) => !['tag', 'commit'].some((key) => textAt(one.object(), `spec.ref.${key}`)))
        .map((one) => about(one, 'has neither a tag nor a commit', ['spec', 'ref'])),
    ]),
  },
  {
    id: 'image-pinned',
    demands: 'Every image has a tag that does not move, or a digest',
    why,
    fix: 'image: registry/name:1.2.3@sha256:…',
    source: 'NFR26',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      imagesOf(cluster)
        .filter(({ image }) => !isPinned(image))
        .map(({ image, at }) => at(`image ${image} is not pinned`)),
    ),
  },
  {
    id: 'action-pinned',
    demands: 'Every action that a workflow uses is pinned by digest',
    why: 'A tag of an action can be moved by whoever takes over its repository, and it runs with our token',
    fix: 'uses: owner/name@<40 hex digits> # v1.2.3',
    source: 'NFR26',
    scope: 'any',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter(({ path }) => path.startsWith(`${layout.github}/`))
        .flatMap(({ path, text }) =>
          [...text.matchAll(/^\s*(?:-\s*)?uses:\s*["']?([^\s"'#]+)/gm)]
            .map(([, uses = '']) => uses)
            .filter(
              (uses) => !uses.startsWith('./') && !/@[0-9a-f]{40}$/.test(uses) && !/^docker:.*@sha256:/.test(uses),
            )
            .map((uses) => ({ file: path, text: uses, message: `${uses} is not pinned by digest` })),
        ),
  },
  {
    id: 'remote-resource-pinned',
    demands: 'A kustomization.yaml takes nothing from a URL without a tag or commit in it',
    why,
    fix: '?ref=v1.2.3, or /v1.2.3/ in the path',
    source: 'NFR26',
    scope: 'any',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter(({ path }) => /^kubernetes\/.*kustomization\.ya?ml$/.test(path))
        .flatMap(({ path, text }) =>
          [...text.matchAll(/^\s*-\s+["']?((?:https?|ssh):\/\/\S+|github\.com\/\S+)/gm)]
            .map(([, url = '']) => url)
            .filter((url) => !/[/=@]v?\d+\.\d+|[0-9a-f]{40}/.test(url))
            .map((url) => ({ file: path, text: url, message: `${url} is not pinned` })),
        ),
  },
]

const exactVersion =
  /^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?(@sha256:[0-9a-f]{64})?$|^sha256:[0-9a-f]{64}$/

const floating = /^(latest|main|master|edge|stable|nightly|dev|develop)?$|[*x^~><]\.?|^\d+$/
const isFloating = (tag: string | undefined): boolean =>
  tag === undefined || (floating.test(tag) && !/^sha256:/.test(tag) && !/\d+\.\d+\.\d+/.test(tag) && !/\d{4}/.test(tag))

/** `host:5000/name:tag@sha256:…`; a tag behind the last slash only. */
export function isPinned(image: string): boolean {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return true
  const tag = /:([^/:@]+)$/.exec(image)?.[1]
  return tag !== undefined && !/^(latest|main|master|edge|stable|nightly|dev|develop)$/.test(tag)
}

export interface UsedImage {
  image: string
  at: (message: string) => Finding
}

const isImageName = ({ path, value }: Leaf): boolean =>
  typeof value === 'string' &&
  /^(image|imageName)$/.test(String(path.at(-1))) &&
  /^[a-z0-9][\w.-]*([:/@][\w./:@-]+)?$/.test(value)

/** Images of objects, of releases' values (`repository` and `tag` apart), and of what charts are known to start. */
export function imagesOf(cluster: ClusterView): UsedImage[] {
  const inObjects = cluster.objects
    .filter(({ kind }) => !notRunning.has(kind))
    .flatMap((one) =>
      leaves(one.object())
        .filter(isImageName)
        .map(({ path, value }) => ({ image: String(value), at: (message: string) => about(one, message, path) })),
    )
  const inValues = cluster.releases.flatMap(({ release }) =>
    leaves(release.values).flatMap((leaf) => {
      const path = ['spec', 'values', ...leaf.path]
      const at = (message: string) => aboutRelease(release, message, path)
      if (isImageName(leaf) && /[:@]/.test(String(leaf.value))) return [{ image: String(leaf.value), at }]
      const parent = leaf.path.slice(0, -1).reduce<unknown>((value, key) => (value as never)?.[key], release.values)
      const repository = textAt(parent, 'repository')
      if (leaf.path.at(-1) !== 'tag' || typeof leaf.value !== 'string' || leaf.value === '') return []
      const host = textAt(parent, 'registry')
      return [{ image: `${host ? `${host}/` : ''}${repository ?? '(image of the chart)'}:${leaf.value}`, at }]
    }),
  )
  return [...inObjects, ...inValues]
}

/** Objects that only describe others, or whose `image` is a word of their own. */
const notRunning = new Set(['CustomResourceDefinition', 'Kustomization', 'HelmRelease', 'ConfigMap', 'ImageCatalog'])

export interface Pin {
  /** `chart`, `image` or `action`. */
  what: string
  name: string
  version: string
  file: string
}

/** Every version that Renovate has to know: charts, images, actions; each once a file. */
export function pinsOf({ files, clusters }: RepositoryView): Pin[] {
  const charts = clusters.flatMap(({ releases }) =>
    releases.map(({ release }) => ({
      what: 'chart',
      name: release.chart.replace('oci://', ''),
      version: release.version,
      file: release.file ?? '',
    })),
  )
  const images = clusters.flatMap(imagesOf).flatMap(({ image, at }) => {
    const [, name, version] = /^(.+?):([^/:@]+(?:@\S+)?)$/.exec(image) ?? []
    return name && version ? [{ what: 'image', name, version, file: at('').file }] : []
  })
  const actions = files
    .filter(({ path }) => path.startsWith(`${layout.github}/`))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/uses:\s*["']?([^\s"'#@]+)@(\S+)/g)].map(([, name = '', version = '']) => ({
        what: 'action',
        name,
        version,
        file: path,
      })),
    )
  return [...new Map([...charts, ...images, ...actions].map((pin) => [JSON.stringify(pin), pin])).values()]
}
