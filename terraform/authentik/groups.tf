# Who may do what is said by these names: applications ask for them (claim `groups`), and clients.tf says who sees an application at all.
# Members are added in Authentik: people come and go without a commit.
locals {
  groups = toset([
    "business-users",
    "developers",
    "grafana-admins",
    "harbor-admins",
    "openbao-admins",
    "staff",
  ])
}

resource "authentik_group" "group" {
  for_each = local.groups

  name = each.key

  lifecycle {
    ignore_changes = [users]
  }
}
