/** The Jobs of `ceph osd remove` and `ceph expand`, as Rook's examples have them (v1.19.4: toolbox-job.yaml, osd-purge.yaml). Pure. */
import { type CephJob, type CephJobVerb, cephJobKeys, cephJobName } from '../tools/ceph-job.args.ts'
import type { KubeObject } from '../types.ts'

/** A look lasts so long; then the container ends, its message is what it has found, and the kubelet starts it again. */
const lookSec = 120

/**
 * @param operator the operator's Deployment, whose image they run
 * @throws Error when it has none
 */
export function cephJobObject(job: CephJob, operator: KubeObject): object {
  const template = (operator.spec?.template ?? {}) as { spec?: { containers?: { image?: string }[] } }
  const image = template.spec?.containers?.[0]?.image
  if (!image) throw new Error(`Deployment ${operator.metadata.name} has no image`)
  const { namespace, subject, verb, token, osd = '' } = job
  const labels = {
    app: verb === 'purge' ? 'rook-ceph-purge-osd' : 'k8sops-ceph',
    [cephJobKeys.subject]: subject,
    [cephJobKeys.verb]: verb,
    'app.kubernetes.io/managed-by': 'k8sops',
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: cephJobName(job), namespace, labels, annotations: { [cephJobKeys.by]: token } },
    spec: {
      // A look that did not find what it waits for counts as a failure, and whoever waits has a deadline of its own.
      backoffLimit: verb === 'purge' ? 6 : 100_000,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: verb === 'purge' ? 'Never' : 'OnFailure',
          ...(verb === 'purge' ? purgePod(image, osd) : clientPod(image, scripts[verb](osd))),
        },
      },
    },
  }
}

const secret = { name: 'ceph-admin-secret', mountPath: '/var/lib/rook-ceph-mon' }
const username = {
  name: 'ROOK_CEPH_USERNAME',
  valueFrom: { secretKeyRef: { name: 'rook-ceph-mon', key: 'ceph-username' } },
}

/** Writes /etc/ceph/ceph.conf and the keyring. */
const configured = (image: string) => ({
  name: 'config-init',
  image,
  command: ['/usr/local/bin/toolbox.sh'],
  args: ['--skip-watch'],
  env: [username],
  volumeMounts: [
    { name: 'ceph-config', mountPath: '/etc/ceph' },
    { name: 'mon-endpoint-volume', mountPath: '/etc/rook' },
    secret,
    { name: 'rook-config-override', mountPath: '/etc/rook-config-override', readOnly: true },
  ],
})

const volumes = [
  {
    name: 'ceph-admin-secret',
    secret: { secretName: 'rook-ceph-mon', optional: false, items: [{ key: 'ceph-secret', path: 'secret.keyring' }] },
  },
  {
    name: 'mon-endpoint-volume',
    configMap: { name: 'rook-ceph-mon-endpoints', items: [{ key: 'data', path: 'mon-endpoints' }] },
  },
  { name: 'rook-config-override', configMap: { name: 'rook-config-override', optional: true } },
  { name: 'ceph-config', emptyDir: {} },
]

const client = (name: string, image: string, script: string) => ({
  name,
  image,
  command: ['bash', '-c', script],
  volumeMounts: [{ name: 'ceph-config', mountPath: '/etc/ceph' }],
})

const clientPod = (image: string, script: string) => ({
  automountServiceAccountToken: false,
  initContainers: [configured(image)],
  containers: [client('ceph', image, script)],
  volumes,
})

/** Rook's container does nothing, and ends well, while Ceph takes the OSD for up: that is waited for first. */
const purgePod = (image: string, osd: string) => ({
  serviceAccountName: 'rook-ceph-purge-osd',
  initContainers: [configured(image), client('down', image, downScript(osd))],
  containers: [
    {
      name: 'osd-removal',
      image,
      args: ['ceph', 'osd', 'remove', '--preserve-pvc', 'false', '--force-osd-removal', 'false', '--osd-ids', osd],
      env: [
        { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
        {
          name: 'ROOK_MON_ENDPOINTS',
          valueFrom: { configMapKeyRef: { key: 'data', name: 'rook-ceph-mon-endpoints' } },
        },
        username,
        { name: 'ROOK_CONFIG_DIR', value: '/var/lib/rook' },
        { name: 'ROOK_CEPH_CONFIG_OVERRIDE', value: '/etc/rook/config/override.conf' },
        { name: 'ROOK_FSID', valueFrom: { secretKeyRef: { key: 'fsid', name: 'rook-ceph-mon' } } },
        { name: 'ROOK_LOG_LEVEL', value: 'DEBUG' },
      ],
      volumeMounts: [
        { name: 'ceph-conf-emptydir', mountPath: '/etc/ceph' },
        { name: 'rook-config', mountPath: '/var/lib/rook' },
        secret,
      ],
    },
  ],
  volumes: [...volumes, { name: 'ceph-conf-emptydir', emptyDir: {} }, { name: 'rook-config', emptyDir: {} }],
})

/** What it prints, as the container's message. `ceph` itself would wait five minutes for monitors that are away. */
const told = '>/dev/termination-log'
const ceph = 'timeout 60 ceph'

const scripts: Record<Exclude<CephJobVerb, 'purge'>, (osd: string) => string> = {
  ask: (osd) => `said=$(${ceph} osd ok-to-stop osd.${osd} 2>&1); stop=$?
bytes=$(${ceph} osd metadata ${osd} | grep -o '"bluestore_bdev_size": *"[0-9]*"' | grep -o '[0-9]*')
{ echo "stop=$stop"; echo "bytes=$bytes"; echo "said=$(echo $said | head -c 2000)"; } ${told}`,

  drain: (osd) => `${ceph} osd out osd.${osd} || exit
${watched(`left=$(${ceph} osd safe-to-destroy osd.${osd} 2>&1) && exit 0`)}`,

  gone: (osd) => `ids=$(${ceph} osd ls) || exit
if grep -qx ${osd} <<<"$ids"; then echo "said=osd.${osd} is still in Ceph's map" ${told}; exit 1; fi`,

  back: (osd) => `${ceph} osd in osd.${osd}`,

  // Three looks in a row: a map that has just changed has placement groups that do not know it yet.
  settle: () =>
    watched(`stat=$(${ceph} pg stat) && states=\${stat#*pgs: } && states=\${states%%;*}
  left=$(tr ',' '\\n' <<<"$states" | grep -v active+clean | tr '\\n' ' ')
  if [ -n "$stat" ] && [ -z "$left" ]; then clean=$((clean+1)); [ $clean -ge 3 ] && exit 0; else clean=0; fi`),
}

const downScript = (osd: string) => `for try in $(seq 60); do
  map=$(${ceph} osd dump) || continue
  grep -qE '^osd\\.${osd} +up ' <<<"$map" || exit 0
  ${ceph} osd down osd.${osd}; sleep 2
done
exit 1`

/**
 * Looks until it ends by itself, for a while; then it says since when nothing has moved (seconds since 1970), and what is left. What it knows
 * outlives the container in the pod's own directory.
 * @param look sets `left`, and exits with 0 once all is well
 */
const watched = (look: string) => `progress=/etc/ceph/k8sops-progress; clean=0
while :; do
  ${look}
  moving=$(${ceph} pg stat | grep -oE '[0-9]+/[0-9]+ objects (degraded|misplaced|unfound)')
  left=$(echo $left $moving | head -c 1000)
  [ -e $progress ] && [ "$left" = "$(head -n 1 $progress)" ] || printf '%s\\n%s\\n' "$left" "$(date +%s)" >$progress
  if [ $SECONDS -ge ${lookSec} ]; then
    { echo "since=$(tail -n 1 $progress)"; echo "said=$left"; } ${told}; exit 1
  fi
  sleep 10
done`
