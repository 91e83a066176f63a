terraform {
  required_version = ">= 1.10"

  required_providers {
    authentik = {
      source  = "goauthentik/authentik"
      version = "2026.2.1"
    }
  }

  # On MinIO, outside both clusters: the state must be readable on the day on which Authentik has to be built anew. It holds the clients'
  # secrets, so the bucket is read by operators only.
  backend "s3" {
    bucket                      = "terraform"
    key                         = "authentik.tfstate"
    region                      = "us-east-1"
    endpoints                   = { s3 = "https://s3.monosense.dev" }
    use_path_style              = true
    use_lockfile                = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
  }
}

# Address and token: AUTHENTIK_URL and AUTHENTIK_TOKEN (op.env).
provider "authentik" {}
