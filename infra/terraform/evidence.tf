# The container for evidence, in an account of its own: the handler may write there, and nowhere else in it.

resource "azurerm_storage_account" "evidence" {
  # checkov:skip=CKV_AZURE_33: the account has no queue
  # checkov:skip=CKV_AZURE_35: the same as CKV_AZURE_59
  # checkov:skip=CKV_AZURE_59: without a virtual network, Flex Consumption has no fixed addresses to allow; keys are disabled, so only Entra identities with a role have access
  # checkov:skip=CKV_AZURE_206: whoever needs more than one zone names a container of their own
  # checkov:skip=CKV2_AZURE_1: it holds no customer data; Microsoft-managed keys encrypt it
  # checkov:skip=CKV2_AZURE_33: the same as CKV_AZURE_59
  count                            = var.evidence_days > 0 ? 1 : 0
  name                             = "ev${local.token}"
  location                         = azurerm_resource_group.this.location
  resource_group_name              = azurerm_resource_group.this.name
  account_kind                     = "StorageV2"
  account_tier                     = "Standard"
  account_replication_type         = "LRS"
  access_tier                      = "Cool"
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  default_to_oauth_authentication  = true
  https_traffic_only_enabled       = true
  local_user_enabled               = false
  min_tls_version                  = "TLS1_2"
  shared_access_key_enabled        = false
  tags                             = local.tags

  blob_properties {
    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 7
    }
  }

  sas_policy {
    expiration_period = "00.01:00:00"
  }
}

resource "azurerm_storage_container" "evidence" {
  # checkov:skip=CKV2_AZURE_21: one file a day, written by one identity
  count              = var.evidence_days > 0 ? 1 : 0
  name               = "evidence"
  storage_account_id = azurerm_storage_account.evidence[0].id
}

# Unlocked: an owner can still remove it. A lock cannot be undone, so whoever needs one sets it.
resource "azurerm_storage_container_immutability_policy" "evidence" {
  count                                 = var.evidence_days > 0 ? 1 : 0
  storage_container_resource_manager_id = azurerm_storage_container.evidence[0].id
  immutability_period_in_days           = var.evidence_days
  protected_append_writes_all_enabled   = false
}

resource "azurerm_role_assignment" "evidence" {
  count              = var.evidence_days > 0 ? 1 : 0
  scope              = azurerm_storage_container.evidence[0].id
  role_definition_id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.storageBlobDataContributor}"
  principal_id       = azurerm_user_assigned_identity.host.principal_id
  principal_type     = "ServicePrincipal"
}
