// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** For each rule about files the smallest thing that breaks it, what is said of it, and what is allowed. */
import { type Clusters, ks, object, type Texts } from './view.ts'

export interface Case {
  breaks: Texts
  /** `file:line: message`, all of them. */
  says: string[]
  sound: Texts
  clusters?: Clusters
}

const base = 'kubernetes/infrastructure'
const schema = '# yaml-language-server: $schema=https://example.org/x.json\n'
const entry = 'kubernetes/clusters/infra/flux/kustomization.yaml'
const recipient = 'age1j3hsfptdfsfwvkf504etjkrtmajny9csrfh5s24uqh6fchmg5dgqg087ek'
const sopsConfig = `creation_rules:\n  - path_regex: kubernetes/.*\\.sops\\.yaml$\n    encrypted_regex: ^(data|stringData)$\n    age: ${recipient}\n`
const encrypted = (to: string, value = 'ENC[AES256_GCM,data:x]') =>
  `kind: Secret\nstringData:\n  a: ${value}\nsops:\n  mac: ENC[x]\n  age:\n    - recipient: ${to}\n`
const resources = (...names: string[]) => `resources:\n${names.map((name) => `  - ${name}\n`).join('')}`

export const fileCases: Record<string, Case> = {
  'yaml-wellformed': {
    breaks: { [`${base}/a.yaml`]: 'a: 1\nb: [1\nc: 2\n' },
    says: [
      `${base}/a.yaml:3: malformed YAML: Flow sequence in block collection must be sufficiently indented and end with a ]`,
    ],
    sound: { [`${base}/a.yaml`]: 'a: 1\nb: [1]\n' },
  },
  'file-not-empty': {
    breaks: { [`${base}/a.yaml`]: '# what was here\n' },
    says: [`${base}/a.yaml:1: holds nothing`],
    sound: { [`${base}/a.yaml`]: 'a: 1\n' },
  },
  'yaml-extension': {
    breaks: { [`${base}/a.yml`]: '' },
    says: [`${base}/a.yml:1: a.yml ends in .yml`],
    sound: { [`${base}/a.yaml`]: '' },
  },
  'schema-comment': {
    breaks: { [`${base}/a.yaml`]: '# other\na: 1\n' },
    says: [`${base}/a.yaml:1: the first line is no schema comment`],
    sound: { [`${base}/a.yaml`]: schema, 'talos/patches/all/x.yaml': 'machine: {}\n' },
  },
  'file-named-after-kind': {
    breaks: {
      [`${base}/app/deploy.yaml`]: object('apps/v1', 'Deployment', 'x'),
      [`${base}/app/pod.yaml`]: `${object('v1', 'Pod', 'x')}---\n${object('v1', 'Node', 'x')}`,
      [`${base}/kustomization.yaml`]: ks('x', 'a'),
    },
    says: [
      `${base}/app/deploy.yaml:1: should be deployment.yaml`,
      `${base}/app/pod.yaml:1: holds pod and node`,
      `${base}/kustomization.yaml:1: should be ks.yaml`,
    ],
    sound: {
      [`${base}/app/deployment.yaml`]: object('apps/v1', 'Deployment', 'x'),
      [`${base}/app/deployment-patch.yaml`]: object('apps/v1', 'Deployment', 'x'),
      [`${base}/app/ciliumnetworkpolicies.yaml`]: `${object('cilium.io/v2', 'CiliumNetworkPolicy', 'x')}---\n${object('cilium.io/v2', 'CiliumNetworkPolicy', 'y')}`,
    },
  },
  'directory-is-name': {
    breaks: { [`${base}/y/ks.yaml`]: ks('x', 'a') },
    says: [`${base}/y/ks.yaml:4: declares x, not y`],
    sound: { [`${base}/x/ks.yaml`]: ks('x', 'a') },
  },
  'release-is-directory': {
    breaks: {
      [`${base}/controllers/ns/x/app/helmrelease.yaml`]: object('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'y'),
    },
    says: [`${base}/controllers/ns/x/app/helmrelease.yaml:4: HelmRelease ns/y stands in ns/x`],
    sound: {
      [`${base}/controllers/ns/x/app/helmrelease.yaml`]: object('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'x'),
    },
  },
  'shared-names-no-cluster': {
    clusters: { infra: { D: 'monosense.dev', S: 's3.monosense' }, apps: { D: 'monosense.io', S: 's3.monosense' } },
    breaks: { [`${base}/a.yaml`]: 'a: 1\nhost: x.monosense.dev\n' },
    says: [`${base}/a.yaml:2: names monosense.dev`],
    sound: { [`${base}/a.yaml`]: 'host: x.${D}\ns3: s3.monosense\n' },
  },
  'confirm-where-it-is-read': {
    breaks: { [`${base}/a.yaml`]: 'a: 1\nb: 2 # CONFIRM: x\n' },
    says: [`${base}/a.yaml:2: a CONFIRM mark that nothing reads`],
    sound: { 'kubernetes/clusters/infra/cluster-settings.yaml': 'a: 1 # CONFIRM: x\n' },
  },
  'file-is-used': {
    breaks: {
      [entry]: resources('../../../infrastructure/x.yaml'),
      [`${base}/x.yaml`]: '',
      [`${base}/y.yaml`]: '',
      'talos/patches/a.yaml': '',
      'talos/infra/talconfig.yaml': 'patches: ["@../patches/b.yaml"]',
    },
    says: [`${base}/y.yaml:1: nothing uses it`, 'talos/patches/a.yaml:1: nothing uses it'],
    sound: { [entry]: resources('../../../infrastructure/x.yaml'), [`${base}/x.yaml`]: '' },
  },
  'object-stands-once': {
    clusters: { infra: {}, apps: {} },
    breaks: {
      'kubernetes/clusters/infra/apps/ns/x/app/service.yaml': object('v1', 'Service', 'x', 'spec: {a: infra}'),
      'kubernetes/clusters/apps/apps/ns/x/app/service.yaml': object('v1', 'Service', 'x', 'spec: {a: apps}'),
    },
    says: [
      'kubernetes/clusters/apps/apps/ns/x/app/service.yaml:4: Service x also stands in kubernetes/clusters/infra/apps/ns/x/app/service.yaml',
    ],
    sound: {
      'kubernetes/clusters/infra/apps/ns/x/app/service.yaml': object('v1', 'Service', 'x', 'spec: {a: 1}'),
      'kubernetes/clusters/apps/apps/ns/x/app/service.yaml': object('v1', 'Service', 'x', 'spec: {a: 2}'),
    },
  },
  'component-has-runbook': {
    breaks: { [`${base}/controllers/ns/x/ks.yaml`]: ks('x', 'a') },
    says: [`${base}/controllers/ns/x/ks.yaml:1: docs/runbooks/x.md is missing`],
    sound: { [`${base}/controllers/ns/x/ks.yaml`]: ks('x', 'a'), 'docs/runbooks/x.md': '' },
  },
  'bootstrap-reads-flux': {
    breaks: { 'bootstrap/helmfile.d/01.yaml': 'releases:\n  - name: x\n    version: 1.2.3\n' },
    says: ['bootstrap/helmfile.d/01.yaml:3: a version of its own'],
    sound: { 'bootstrap/helmfile.d/01.yaml': 'releases:\n  - name: x\n    version: {{ .version }}\n' },
  },
  'variable-defined': {
    clusters: { infra: {} },
    breaks: {
      [`${base}/x/ks.yaml`]: ks('x', `${base}/x/app`, '  postBuild:\n    substitute:\n      A: a\n'),
      [`${base}/x/app/kustomization.yaml`]: resources('service.yaml'),
      [`${base}/x/app/service.yaml`]: object('v1', 'Service', 'x', 'spec:\n  a: ${A}\n  b: ${B}\n'),
    },
    says: [`${base}/x/app/service.yaml:8: \${B} is not defined for Kustomization x`],
    sound: {
      [`${base}/x/ks.yaml`]: ks('x', `${base}/x/app`, '  postBuild:\n    substitute:\n      A: a\n'),
      [`${base}/x/app/kustomization.yaml`]: resources('service.yaml'),
      [`${base}/x/app/service.yaml`]: object(
        'v1',
        'Service',
        'x',
        'spec:\n  a: ${A}\n  b: ${B:-1}\n  c: $${C}\n  # ${D}\n',
      ),
    },
  },
  'action-pinned': {
    breaks: { '.github/workflows/x.yaml': 'jobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n' },
    says: ['.github/workflows/x.yaml:4: actions/checkout@v4 is not pinned by digest'],
    sound: {
      '.github/workflows/x.yaml': `steps:\n  - uses: actions/checkout@${'a'.repeat(40)} # v4\n  - uses: ./local\n`,
    },
  },
  'remote-resource-pinned': {
    breaks: { [`${base}/x/kustomization.yaml`]: resources('https://example.org/x.yaml') },
    says: [`${base}/x/kustomization.yaml:2: https://example.org/x.yaml is not pinned`],
    sound: {
      [`${base}/x/kustomization.yaml`]: resources(
        'https://example.org/v1.2.3/x.yaml',
        'https://github.com/a/b//c?ref=v1.0.0',
      ),
    },
  },
  'sops-encrypted': {
    breaks: {
      '.sops.yaml': sopsConfig,
      'kubernetes/a.sops.yaml': 'kind: Secret\n',
      'kubernetes/b.sops.yaml': encrypted('age1other'),
      'kubernetes/c.sops.yaml': encrypted(recipient, 'plain'),
      'bootstrap/d.sops.yaml': encrypted(recipient),
    },
    says: [
      'bootstrap/d.sops.yaml:4: no creation rule of .sops.yaml matches it',
      'kubernetes/a.sops.yaml:1: is not encrypted',
      `kubernetes/b.sops.yaml:7: encrypted to age1other, not to ${recipient}`,
      'kubernetes/c.sops.yaml:3: a is in plain text',
    ],
    sound: { '.sops.yaml': sopsConfig, 'kubernetes/a.sops.yaml': encrypted(recipient) },
  },
  'sops-recipients': {
    breaks: { '.sops.yaml': 'creation_rules:\n  - path_regex: kubernetes/x\n' },
    says: [
      '.sops.yaml:2: kubernetes/x has no age recipient',
      '.sops.yaml:2: kubernetes/x has no encrypted_regex: ^(data|stringData)$',
    ],
    sound: { '.sops.yaml': sopsConfig },
  },
  'nothing-looks-secret': {
    breaks: {
      'talos/a.yaml': 'a: 1\nkey: |\n  -----BEGIN PRIVATE KEY-----\n',
      [`${base}/a.yaml`]: 'a: 1\nadminPassword: hunter2hunter2\n',
    },
    says: [`${base}/a.yaml:2: looks like a password`, 'talos/a.yaml:3: looks like a private key'],
    sound: {
      [`${base}/a.yaml`]: 'password: ${PASSWORD}\npasswordSecretRef:\n  name: x\ntoken: op://v/i/f\n',
      // The name of a variable, an anchor and its alias.
      [`${base}/b.yaml`]:
        'secretKey: GITHUB_TOKEN\nADMIN_PASSWORD: &rcon-password "{{ .ADMIN }}"\nRCON_PASSWORD: *rcon-password\n',
    },
  },
  'no-plain-secret': {
    breaks: {
      [`${base}/secret.yaml`]: 'apiVersion: v1\nkind: Secret\ndata:\n  a: YQ==\n',
      [`${base}/second.yaml`]:
        'apiVersion: v1\nkind: Secret\nstringData:\n  a: ${A}\n---\napiVersion: v1\nkind: Secret\ndata:\n  b: YQ==\n',
      [`${base}/unread.yaml`]: '<<: *a\napiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\n',
      'bootstrap/infra/a.yaml.tpl': 'apiVersion: v1\nkind: Secret\nstringData:\n  token: abc\n',
    },
    says: [
      'bootstrap/infra/a.yaml.tpl:4: token is no 1Password reference',
      `${base}/second.yaml:7: a Secret that is not encrypted`,
      `${base}/secret.yaml:2: a Secret that is not encrypted`,
      `${base}/unread.yaml:3: a Secret that is not encrypted`,
    ],
    sound: {
      'bootstrap/infra/a.yaml.tpl': 'apiVersion: v1\nkind: Secret\nstringData:\n  token: "{{ op://v/i/f }}"\n',
      // Kubernetes fills it in.
      [`${base}/secret.yaml`]: 'apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\n',
    },
  },
}
