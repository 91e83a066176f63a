/** Manifests of Flux objects, to be committed to a test's repository. */

/** Where a chart comes from, as this repository writes it. */
export const chart = (
  name: string,
  url: string,
  tag: string,
  namespace = 'flux-system',
) => `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  interval: 1h
  url: ${url}
  ref: {tag: ${tag}}
  layerSelector: {mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip, operation: copy}
`
/** A release of that chart. */
export const release = (
  name: string,
  values: object,
  namespace = 'flux-system',
) => `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  interval: 1h
  chartRef: {kind: OCIRepository, name: ${name}}
  values: ${JSON.stringify(values)}
`
/** A HelmRepository, and a release of a chart in it, as repositories without OCIRepositories write them. */
export const viaRepository = (name: string, version: string, spec: object) => `apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: ${name}, namespace: flux-system}
spec: ${JSON.stringify({ interval: '1h', ...spec })}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: ${name}, namespace: flux-system}
spec:
  interval: 1h
  chart: {spec: {chart: ${name}, version: ${version}, sourceRef: {kind: HelmRepository, name: ${name}}}}
---
`
/** Of files below kubernetes/NAME. @param extra more lines of its spec */
export const kustomization = (name: string, extra = '') => `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: ${name}, namespace: flux-system}
spec:
  interval: 1h
  retryInterval: 2s
  timeout: 1m
  path: kubernetes/${name}
  prune: true
  wait: true
  sourceRef: {kind: GitRepository, name: flux-system}
${extra}`
