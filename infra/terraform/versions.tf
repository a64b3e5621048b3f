# azurerm by default. azapi where azurerm lacks a property, and for resources in other subscriptions than the
# provider's, for which azurerm would need one provider configuration each.

terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.73"
    }
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.13"
    }
  }
}

provider "azurerm" {
  subscription_id = var.subscription_id
  environment     = local.clouds[var.cloud].azurerm
  # Storage has no keys, so Terraform signs in to it.
  storage_use_azuread = true
  # Flex Consumption joins a network through the platform of Container Apps, which no resource here names.
  resource_providers_to_register = var.private_network ? ["Microsoft.App"] : []

  features {
    storage {
      # Resource Manager creates everything here, so the deployment needs no role on the data.
      data_plane_available = false
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
  environment     = local.clouds[var.cloud].azurerm
}
