# The first secrets of cluster `infra`: what must be there before External Secrets can fetch the others. Nothing here is
# secret; `op` fills in the values on the way into the cluster, and they are never on disk:
#
#   op inject -i bootstrap/infra/secrets.yaml.tpl | kubectl --context infra apply --server-side -f -
#
# Items and fields: docs/prerequisites.md. Fields that end in -base64 hold their content in base64, because a value of
# several lines would break the YAML.
---
apiVersion: v1
kind: Namespace
metadata:
  name: external-secrets
---
apiVersion: v1
kind: Namespace
metadata:
  name: flux-system
---
# Lets kustomize-controller decrypt *.sops.yaml.
apiVersion: v1
kind: Secret
metadata:
  name: sops-age
  namespace: flux-system
stringData:
  age.agekey: "{{ op://k8s-ops/sops-age/private-key }}"
---
# Read-only deploy key of this repository. The host key is GitHub's (https://api.github.com/meta, ssh_keys).
apiVersion: v1
kind: Secret
metadata:
  name: github-deploy-key
  namespace: flux-system
data:
  identity: "{{ op://k8s-infra/flux-deploy-key/identity-base64 }}"
stringData:
  known_hosts: github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
---
apiVersion: v1
kind: Secret
metadata:
  name: onepassword-connect-credentials
  namespace: external-secrets
data:
  1password-credentials.json: "{{ op://k8s-infra/onepassword-connect/credentials-base64 }}"
---
apiVersion: v1
kind: Secret
metadata:
  name: onepassword-connect-token
  namespace: external-secrets
stringData:
  token: "{{ op://k8s-infra/onepassword-connect/token }}"
