{{ op://k8s-infra/openbao-init/root-token }}
{{ op://k8s-infra/openbao/client-secret }}
