# azurerm for what it knows; azapi where it lacks a property, and for resources in other subscriptions than the
# provider's own, which azurerm reaches only by a provider configuration each.

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
  # Storage has no keys, so Terraform too signs in to it.
  storage_use_azuread = true
  # Flex Consumption joins a network by the platform of Container Apps, which no resource here names.
  resource_providers_to_register = var.private_network ? ["Microsoft.App"] : []

  features {
    storage {
      # Everything here is Resource Manager's to make; whoever deploys needs no role on the data.
      data_plane_available = false
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
  environment     = local.clouds[var.cloud].azurerm
}
