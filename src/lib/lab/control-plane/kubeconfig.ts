/** Kubeconfigs: the operator's, as Talos renders it, and those of the lab's own components. */
import type { KeyPair } from '../talos/certificates.ts'

/**
 * A kubeconfig with one context `<user>@<cluster>`, as Talos names them (admin@apps).
 * @param server `https://127.13.1.10:6443`
 * @param ca PEM
 */
export function kubeconfigFor(cluster: string, user: string, server: string, ca: string, pair: KeyPair): string {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64')
  const name = `${user}@${cluster}`
  return `apiVersion: v1
kind: Config
clusters:
  - name: ${cluster}
    cluster:
      server: ${server}
      certificate-authority-data: ${base64(ca)}
users:
  - name: ${name}
    user:
      client-certificate-data: ${base64(pair.crt)}
      client-key-data: ${base64(pair.key)}
contexts:
  - name: ${name}
    context:
      cluster: ${cluster}
      namespace: default
      user: ${name}
current-context: ${name}
`
}
