/** Where images may come from without a word in k8sops.yaml: registries that scan, sign or are kept by the projects themselves (NFR15). */
export const trustedRegistries: readonly string[] = [
  'ghcr.io/',
  'quay.io/',
  'registry.k8s.io/',
  'mirror.gcr.io/',
  'docker.io/library/',
  'harbor.',
]
