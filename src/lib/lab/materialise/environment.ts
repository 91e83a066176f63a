/**
 * The environment of every command that works on a lab. Nothing of it may reach the operator's own configuration,
 * caches or network: tools look for their state in a dozen variables, and all of them point into the lab.
 */
import { join } from 'node:path'
import { layout } from '../../repo/layout.ts'

export const proxyPort = 3128
export const proxyCaFile = (dir: string) => join(dir, 'pki', 'proxy-ca.crt')
export const binDir = (dir: string) => join(dir, 'bin')

/**
 * @param lab its state directory, base address, materialised repository and cluster
 * @param path the PATH that commands get behind the lab's own directory
 */
export function labEnvironment(
  lab: { dir: string; base: string; root: string; cluster: string; kubeconfig: string },
  path: string,
): Record<string, string> {
  const { dir, base, root } = lab
  const home = (...names: string[]) => join(dir, 'home', ...names)
  const proxy = `http://${base}:${proxyPort}`
  return {
    PATH: `${binDir(dir)}:${path}`,
    KUBECONFIG: lab.kubeconfig,
    KUBECACHEDIR: home('cache', 'kube'),
    TALOSCONFIG: join(root, layout.talosconfig(lab.cluster)),
    TALOS_HOME: home('talos'),
    XDG_CACHE_HOME: home('cache'),
    XDG_CONFIG_HOME: home('config'),
    XDG_DATA_HOME: home('data'),
    // helm's and helmfile's own variables win over XDG, so an operator's settings must not shine through.
    HELM_CACHE_HOME: home('cache', 'helm'),
    HELM_CONFIG_HOME: home('config', 'helm'),
    HELM_DATA_HOME: home('data', 'helm'),
    HELM_REGISTRY_CONFIG: home('config', 'helm', 'registry', 'config.json'),
    HELM_REPOSITORY_CONFIG: home('config', 'helm', 'repositories.yaml'),
    HELM_REPOSITORY_CACHE: home('cache', 'helm', 'repository'),
    HELMFILE_CACHE_HOME: home('cache', 'helmfile'),
    DOCKER_CONFIG: home('config', 'docker'),
    // The lab's proxy ends every outside connection; Go leaves loopback out of proxies by itself, others need to be told.
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    NO_PROXY: '127.0.0.0/8,localhost',
    no_proxy: '127.0.0.0/8,localhost',
    SSL_CERT_FILE: proxyCaFile(dir),
    // git must not ask for credentials, nor run the operator's hooks or signing in the lab's repository.
    GIT_TERMINAL_PROMPT: '0',
  }
}
