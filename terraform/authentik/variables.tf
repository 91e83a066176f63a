variable "arsipq_client_secret" {
  description = "Field client-secret of the 1Password item arsipq"
  type        = string
  sensitive   = true
}

variable "grafana_client_secret" {
  description = "Field client-secret of the 1Password item grafana"
  type        = string
  sensitive   = true
}

variable "harbor_client_secret" {
  description = "Field client-secret of the 1Password item harbor"
  type        = string
  sensitive   = true
}

variable "mattermost_client_secret" {
  description = "Field client-secret of the 1Password item mattermost"
  type        = string
  sensitive   = true
}

variable "n8n_client_secret" {
  description = "Field client-secret of the 1Password item n8n"
  type        = string
  sensitive   = true
}

variable "openbao_client_secret" {
  description = "Field client-secret of the 1Password item openbao"
  type        = string
  sensitive   = true
}
