/** The argv of operations on single machines and nodes, as the lines that an operator pastes. */
import { expect, it } from 'vitest'
import { shellLine } from '../../src/lib/exec/render.ts'
import { keepSnapshotArgs } from '../../src/lib/tools/filters.args.ts'
import { deleteNodeArgs, holdNodeArgs, releaseNodeArgs } from '../../src/lib/tools/kubectl-node.args.ts'
import { recoverEtcdArgs, removeEtcdMemberArgs } from '../../src/lib/tools/talosctl-etcd.args.ts'
import * as talosctl from '../../src/lib/tools/talosctl-node.args.ts'

it('builds them', () => {
  const [config, node] = ['talosconfig', '10.25.13.14']
  const hold = { by: 'node.cordon/jane@desk', reason: "it's slow", since: '2026-11-24T12:00:00Z' }
  const lines = [
    talosctl.applyConfigArgs(config, node, 'apps-w1.yaml', 'no-reboot'),
    talosctl.dryRunConfigArgs(config, node, 'apps-w1.yaml'),
    talosctl.dashboardArgs(config, node),
    talosctl.supportArgs(config, '10.25.13.11', [node, '10.25.13.15'], '/tmp/support.zip'),
    talosctl.resetArgs(config, node, { graceful: true, wipe: ['STATE', 'EPHEMERAL', 'u-openebs'], timeoutSec: 600 }),
    recoverEtcdArgs(config, node, '/s/apps.db'),
    removeEtcdMemberArgs(config, node, '8e9e05c52164694d'),
    keepSnapshotArgs('.k8sops/draft.db', '/s/apps.db', 10),
    holdNodeArgs('apps', 'apps-w1', hold),
    releaseNodeArgs('apps', 'apps-w1', '4711'),
    deleteNodeArgs('apps', 'apps-w1'),
  ]
  expect(lines.map((command) => shellLine([command])).join('\n')).toMatchInlineSnapshot(`
    "talosctl --talosconfig talosconfig -e 10.25.13.14 -n 10.25.13.14 apply-config -f apps-w1.yaml --mode no-reboot
    talosctl --talosconfig talosconfig -e 10.25.13.14 -n 10.25.13.14 apply-config -f apps-w1.yaml --mode auto --dry-run
    talosctl --talosconfig talosconfig -e 10.25.13.14 -n 10.25.13.14 dashboard
    talosctl --talosconfig talosconfig -e 10.25.13.11 -n 10.25.13.14,10.25.13.15 support -O /tmp/support.zip
    talosctl --talosconfig talosconfig -e 10.25.13.14 -n 10.25.13.14 reset --system-labels-to-wipe STATE --system-labels-to-wipe EPHEMERAL --system-labels-to-wipe u-openebs --graceful=true --reboot --timeout 600s
    talosctl --talosconfig talosconfig -e 10.25.13.14 -n 10.25.13.14 bootstrap --recover-from=/s/apps.db
    talosctl --talosconfig talosconfig -e 10.25.13.14 -n 10.25.13.14 etcd remove-member 8e9e05c52164694d
    k8sops talos etcd keep .k8sops/draft.db /s/apps.db --keep 10
    kubectl --context apps patch node apps-w1 --type merge -p '{"metadata":{"annotations":{"k8sops.dev/cordoned-by":"node.cordon/jane@desk","k8sops.dev/cordon-reason":"it'\\''s slow","k8sops.dev/cordoned-since":"2026-11-24T12:00:00Z"}},"spec":{"unschedulable":true}}'
    kubectl --context apps patch node apps-w1 --type merge -p '{"metadata":{"resourceVersion":"4711","annotations":{"k8sops.dev/cordoned-by":null,"k8sops.dev/cordon-reason":null,"k8sops.dev/cordoned-since":null}},"spec":{"unschedulable":null}}'
    kubectl --context apps delete node apps-w1 --ignore-not-found"
  `)
})
