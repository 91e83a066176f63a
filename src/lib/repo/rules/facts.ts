/** The facts of k8sops.yaml, talconfig.yaml and cluster-settings.yaml, and that nothing repeats them. */
import { layout } from '../layout.ts'
import type { Rule } from './rule.ts'

export const factRules: Rule[] = [
  {
    id: 'facts-agree',
    demands:
      'Addresses, networks, VIP, ASN, ids, names and versions are sound, agree between talconfig and settings, and are unique across clusters',
    why: 'Two clusters with one id, VIP or address take each other down; a fact that stands twice differently is wrong once',
    fix: 'Correct the file that is named; the other party of a clash stands in the message',
    source: 'design section 2',
    scope: 'house',
    looksAt: 'itself',
    check: ({ facts }) => facts,
  },
  {
    id: 'bootstrap-reads-flux',
    demands: 'bootstrap/ holds no chart, version or value of its own: it reads them from kubernetes/',
    why: 'What was installed by hand and what Flux wants would differ, and the first reconciliation would change it',
    fix: 'Use the release that `k8sops repo releases` gives (bootstrap/helmfile.d)',
    source: 'design section 8',
    scope: 'house',
    looksAt: 'itself',
    check: ({ files }) =>
      files
        .filter(({ path }) => path.startsWith(`${layout.bootstrap}/helmfile.d/`))
        .flatMap(({ path, text }) =>
          text
            .split('\n')
            .flatMap((line, index) =>
              /^\s*version:\s*["']?v?\d|oci:\/\/\S+:\S*\d/.test(line)
                ? [{ file: path, line: index + 1, message: 'a version of its own' }]
                : [],
            ),
        ),
  },
]
