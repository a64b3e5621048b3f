# The function app on Flex Consumption, with the custom handler's runtime and no secret in its settings.
# azapi, so that the app has the same properties as in Bicep: azurerm_function_app_flex_consumption sends some of its own.

locals {
  app_name = "func-${var.name}-${local.token}"
  package  = startswith(var.package, "/") ? var.package : "${path.module}/../../${var.package}"
  storage  = { for service in ["blob", "queue", "table"] : service => "https://${azurerm_storage_account.this.name}.${service}.${local.clouds[var.cloud].storage}/" }

  settings = merge({
    AzureWebJobsStorage__credential           = "managedidentity"
    AzureWebJobsStorage__clientId             = azurerm_user_assigned_identity.host.client_id
    AzureWebJobsStorage__blobServiceUri       = local.storage.blob
    AzureWebJobsStorage__queueServiceUri      = local.storage.queue
    AzureWebJobsStorage__tableServiceUri      = local.storage.table
    APPLICATIONINSIGHTS_CONNECTION_STRING     = azurerm_application_insights.this.connection_string
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.host.client_id};Authorization=AAD"
    AZURE_CLIENT_ID                           = azurerm_user_assigned_identity.host.client_id
    DISKSEAL_CLOUD                            = var.cloud
    DISKSEAL_MODE                             = var.mode
    DISKSEAL_BACKUP_GUARD                     = var.backup_guard
    DISKSEAL_SWEEP_SCHEDULE                   = var.sweep_schedule
    # The tag diskseal=off on the resource group stops every write.
    DISKSEAL_SWITCH = azurerm_resource_group.this.id
    },
    # The host cannot make its keys from the addresses alone (Azure/azure-functions-host#11787), and makes addresses of
    # the public cloud from the name.
    var.cloud != "AzurePublic" ? {} : { AzureWebJobsStorage__accountName = azurerm_storage_account.this.name },
    # With a management group, new subscriptions are in scope automatically.
    var.management_group == "" ? { DISKSEAL_SUBSCRIPTIONS = join(",", local.subscriptions) } : {},
    var.management_group == "" ? {} : { DISKSEAL_MANAGEMENT_GROUP = var.management_group },
    var.evidence_days > 0 ? { DISKSEAL_EVIDENCE = "${azurerm_storage_account.evidence[0].primary_blob_endpoint}${azurerm_storage_container.evidence[0].name}" } : {},
    var.grants ? { DISKSEAL_GRANTS = "on" } : {},
    var.revoke ? { DISKSEAL_REVOKE = "on" } : {},
    local.has_ingestion || var.otlp.traces != "" ? { DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT = local.otlp.traces } : {},
    local.has_ingestion || var.otlp.metrics != "" ? { DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT = local.otlp.metrics } : {},
    local.has_ingestion || var.otlp.logs != "" ? { DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT = local.otlp.logs } : {},
  var.extra_settings)
}

resource "azurerm_service_plan" "this" {
  # checkov:skip=CKV_AZURE_211: Flex Consumption scales automatically; it has only one SKU
  # checkov:skip=CKV_AZURE_212: the same
  # checkov:skip=CKV_AZURE_225: if a zone fails, Event Grid delivers its events again, and the sweep finds the rest
  name                = "plan-${var.name}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = local.tags
}

resource "azapi_resource" "function" {
  type      = "Microsoft.Web/sites@2024-11-01"
  name      = local.app_name
  parent_id = azurerm_resource_group.this.id
  location  = azurerm_resource_group.this.location
  tags      = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.host.id]
  }

  body = {
    kind = "functionapp,linux"
    properties = {
      serverFarmId              = azurerm_service_plan.this.id
      httpsOnly                 = true
      publicNetworkAccess       = "Enabled"
      virtualNetworkSubnetId    = var.private_network ? local.function_subnet_id : null
      keyVaultReferenceIdentity = azurerm_user_assigned_identity.host.id
      functionAppConfig = {
        deployment = {
          storage = {
            type  = "blobContainer"
            value = "${local.storage.blob}${azurerm_storage_container.this[local.events.deploymentContainer].name}"
            authentication = {
              type                           = "UserAssignedIdentity"
              userAssignedIdentityResourceId = azurerm_user_assigned_identity.host.id
            }
          }
        }
        scaleAndConcurrency = {
          instanceMemoryMB     = var.instance_memory
          maximumInstanceCount = var.maximum_instances
          # Event Grid functions scale with the HTTP functions.
          alwaysReady = var.always_ready == 0 ? [] : [{ name = "http", instanceCount = var.always_ready }]
          # The default for the smallest instances is a few, and then a burst of events starts many of them.
          triggers = { http = { perInstanceConcurrency = 100 } }
        }
        runtime = {
          name    = "custom"
          version = "1.0"
        }
      }
      siteConfig = {
        minTlsVersion          = "1.2"
        scmMinTlsVersion       = "1.2"
        http20Enabled          = true
        remoteDebuggingEnabled = false
        appSettings            = [for key in sort(keys(local.settings)) : { name = key, value = local.settings[key] }]
      }
    }
  }

  # The host reads its package and takes its locks as soon as it starts.
  depends_on = [azurerm_role_assignment.storage, azurerm_role_assignment.reader, azurerm_private_endpoint.this, azurerm_private_dns_zone_virtual_network_link.this]
}

# Code is deployed with an Entra token, without publishing passwords.
resource "azapi_resource" "no_passwords" {
  for_each  = toset(["ftp", "scm"])
  type      = "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01"
  name      = each.key
  parent_id = azapi_resource.function.id

  body = {
    properties = {
      allow = false
    }
  }
}

# The code of a release, deployed by Resource Manager: needs neither the Azure CLI nor a file.
resource "azapi_resource_action" "code" {
  count       = var.package_uri == "" ? 0 : 1
  type        = "Microsoft.Web/sites/extensions@2024-11-01"
  resource_id = "${azapi_resource.function.id}/extensions/onedeploy"
  method      = "PUT"

  body = {
    properties = {
      packageUri  = var.package_uri
      remoteBuild = false
    }
  }

  depends_on = [azapi_resource.no_passwords]
}

# The code of a file: deploys it, syncs the triggers, and waits for the function that event subscriptions need. Requires
# the Azure CLI and bash.
resource "terraform_data" "code" {
  count = var.package_uri == "" ? 1 : 0
  triggers_replace = [
    azapi_resource.function.id,
    fileexists(local.package) ? filesha256(local.package) : "",
  ]

  lifecycle {
    precondition {
      condition     = fileexists(local.package)
      error_message = "The package does not exist: run infra/package.sh, or set package_uri to the address of a release."
    }
  }

  provisioner "local-exec" {
    command     = "infra/deploy.sh --code"
    working_dir = "${path.module}/../.."
    environment = {
      AZURE_SUBSCRIPTION_ID   = var.subscription_id
      DISKSEAL_DEPLOY_NAME    = var.name
      DISKSEAL_DEPLOY_PACKAGE = abspath(local.package)
      resourceGroupName       = azurerm_resource_group.this.name
      functionAppName         = local.app_name
      functionAppId           = azapi_resource.function.id
    }
  }

  depends_on = [azapi_resource.no_passwords]
}
