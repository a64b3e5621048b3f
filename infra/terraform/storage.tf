# The app's storage account, without keys: package, host locks and timer state, queues, dead letters.

resource "azurerm_storage_account" "this" {
  # checkov:skip=CKV_AZURE_33: the classic logs of the queue service need keys; its writes go to the workspace
  # checkov:skip=CKV_AZURE_35: the same as CKV_AZURE_59; private_network denies by default
  # checkov:skip=CKV_AZURE_59: without a virtual network, Flex Consumption has no fixed addresses to allow; keys are disabled, so only Entra identities with a role have access
  # checkov:skip=CKV_AZURE_206: the package can be rebuilt, and the sweep finds again what queue and dead letters held
  # checkov:skip=CKV2_AZURE_1: it holds no customer data; Microsoft-managed keys encrypt it
  # checkov:skip=CKV2_AZURE_33: private_network creates private endpoints
  name                             = "st${local.token}"
  location                         = azurerm_resource_group.this.location
  resource_group_name              = azurerm_resource_group.this.name
  account_kind                     = "StorageV2"
  account_tier                     = "Standard"
  account_replication_type         = "LRS"
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  default_to_oauth_authentication  = true
  https_traffic_only_enabled       = true
  local_user_enabled               = false
  min_tls_version                  = "TLS1_2"
  shared_access_key_enabled        = false
  tags                             = local.tags

  network_rules {
    default_action = var.private_network ? "Deny" : "Allow"
    # Event Grid writes dead letters as a trusted service: it has no private endpoint.
    bypass = ["AzureServices"]
  }

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

resource "azurerm_storage_container" "this" {
  # checkov:skip=CKV2_AZURE_21: only the app's and Event Grid's identities have a role; the host reads its locks constantly
  for_each           = toset([local.events.deploymentContainer, local.events.deadLetterContainer])
  name               = each.key
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_storage_queue" "this" {
  for_each           = toset(local.events.queues)
  name               = each.key
  storage_account_id = azurerm_storage_account.this.id
}

# The poison queue has no metric: an alert queries the logs of its writes.
resource "azurerm_monitor_diagnostic_setting" "queue" {
  name                       = "queue-writes"
  target_resource_id         = "${azurerm_storage_account.this.id}/queueServices/default"
  log_analytics_workspace_id = local.workspace_id

  enabled_log {
    category = "StorageWrite"
  }
}

resource "azurerm_role_assignment" "storage" {
  for_each           = toset(["storageBlobDataOwner", "storageQueueDataContributor", "storageTableDataContributor"])
  scope              = azurerm_storage_account.this.id
  role_definition_id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn[each.key]}"
  principal_id       = azurerm_user_assigned_identity.host.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "dead_letters" {
  scope              = "${azurerm_storage_account.this.id}/blobServices/default/containers/${azurerm_storage_container.this[local.events.deadLetterContainer].name}"
  role_definition_id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.storageBlobDataContributor}"
  principal_id       = azurerm_user_assigned_identity.dead_letters.principal_id
  principal_type     = "ServicePrincipal"
}
