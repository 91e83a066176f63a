locals {
  # The clusters' facts stand in one place, for Flux and for this.
  clusters = "${path.module}/../../kubernetes/clusters"
  domain = {
    for file in fileset(local.clusters, "*/cluster-settings.yaml") :
    dirname(file) => yamldecode(file("${local.clusters}/${file}")).data.CLUSTER_DOMAIN
  }

  # One entry an application: its address, where its logins may come back to, who sees it. The key is the client's id, and the slug in the
  # issuer https://SSO_HOST/application/o/<key>/.
  clients = {
    arsipq = {
      name      = "ArsipQ"
      section   = "Business"
      url       = "https://arsipq.${local.domain.apps}"
      redirects = ["/login/oauth2/code/authentik"]
      groups    = ["business-users", "developers"]
    }
    grafana = {
      name      = "Grafana"
      section   = "Platform"
      url       = "https://grafana.${local.domain.infra}"
      redirects = ["/login/generic_oauth"]
      groups    = ["developers", "grafana-admins"]
    }
    harbor = {
      name      = "Harbor"
      section   = "Platform"
      url       = "https://harbor.${local.domain.infra}"
      redirects = ["/c/oidc/callback"]
      groups    = ["developers", "harbor-admins"]
    }
    mattermost = {
      name      = "Mattermost"
      section   = "Platform"
      url       = "https://mattermost.${local.domain.infra}"
      redirects = ["/login/gitlab/complete", "/signup/gitlab/complete"]
      groups    = ["staff"]
    }
    n8n = {
      name      = "n8n"
      section   = "Business"
      url       = "https://n8n.${local.domain.apps}"
      redirects = ["/oauth2/callback"]
      groups    = ["business-users", "developers"]
    }
    odoo = {
      name      = "Odoo"
      section   = "Business"
      url       = "https://odoo.${local.domain.apps}"
      redirects = ["/auth_oauth/signin"]
      groups    = ["business-users"]
    }
    openbao = {
      name      = "OpenBao"
      section   = "ArsipQ"
      url       = "https://openbao.${local.domain.infra}"
      redirects = ["/ui/vault/auth/oidc/oidc/callback"]
      groups    = ["developers", "openbao-admins"]
    }
  }

  # A client without one is public: Odoo's login happens in the browser, which could keep none.
  secrets = {
    arsipq     = var.arsipq_client_secret
    grafana    = var.grafana_client_secret
    harbor     = var.harbor_client_secret
    mattermost = var.mattermost_client_secret
    n8n        = var.n8n_client_secret
    openbao    = var.openbao_client_secret
  }

  # `bao login -method=oidc` listens on the developer's own machine.
  local_redirects = {
    openbao = ["http://localhost:8250/oidc/callback"]
  }

  bindings = merge([
    for client, facts in local.clients : { for group in facts.groups : "${client}/${group}" => { client = client, group = group } }
  ]...)
}

resource "authentik_provider_oauth2" "client" {
  for_each = local.clients

  name               = each.value.name
  client_id          = each.key
  client_secret      = lookup(local.secrets, each.key, null)
  client_type        = contains(keys(local.secrets), each.key) ? "confidential" : "public"
  authorization_flow = data.authentik_flow.authorization.id
  invalidation_flow  = data.authentik_flow.invalidation.id
  signing_key        = data.authentik_certificate_key_pair.signing.id
  property_mappings = concat(
    data.authentik_property_mapping_provider_scope.standard.ids,
    each.key == "mattermost" ? [authentik_property_mapping_provider_scope.mattermost.id] : [],
  )
  allowed_redirect_uris = [
    for address in concat(
      [for path in each.value.redirects : "${each.value.url}${path}"],
      lookup(local.local_redirects, each.key, []),
    ) : { matching_mode = "strict", url = address }
  ]
  access_token_validity = "minutes=10"
}

resource "authentik_application" "client" {
  for_each = local.clients

  name              = each.value.name
  slug              = each.key
  group             = each.value.section
  meta_launch_url   = each.value.url
  protocol_provider = authentik_provider_oauth2.client[each.key].id
}

# Without a binding everybody could use it.
resource "authentik_policy_binding" "access" {
  for_each = local.bindings

  target = authentik_application.client[each.value.client].uuid
  group  = authentik_group.group[each.value.group].id
  order  = 0
}

# Mattermost takes Authentik for GitLab, whose users have a number and a username. Its request names no scope, so it gets all of the client's.
resource "authentik_property_mapping_provider_scope" "mattermost" {
  name       = "mattermost"
  scope_name = "mattermost"
  expression = <<-EOT
    return {
        "id": request.user.pk,
        "username": request.user.username,
    }
  EOT
}
