# Bicep and Terraform share one list of names and roles.

locals {
  roles  = jsondecode(file("${path.module}/../role-actions.json"))
  events = jsondecode(file("${path.module}/../events.json"))

  clouds = {
    AzurePublic       = { azurerm = "public", storage = "core.windows.net" }
    AzureUSGovernment = { azurerm = "usgovernment", storage = "core.usgovcloudapi.net" }
    AzureChina        = { azurerm = "china", storage = "core.chinacloudapi.cn" }
  }

  subscriptions = length(var.subscriptions) == 0 ? [var.subscription_id] : var.subscriptions
  scopes        = var.management_group == "" ? { for id in local.subscriptions : id => "/subscriptions/${id}" } : { (var.management_group) = "/providers/Microsoft.Management/managementGroups/${var.management_group}" }
  token         = substr(sha256("${var.subscription_id}/${var.name}"), 0, 13)
  tags          = merge(var.tags, { application = "diskseal" })
  actions = concat(
    local.roles.actions,
    var.management_group == "" ? [] : local.roles.optional.managementGroup,
    var.backup_guard == "off" ? [] : local.roles.optional.backupGuard,
  )
}

resource "azurerm_resource_group" "this" {
  name     = "rg-${var.name}"
  location = var.location
  tags     = local.tags
}

# The handler's identity, and the one with which Event Grid writes dead letters, which has no other rights.
resource "azurerm_user_assigned_identity" "host" {
  name                = "id-${var.name}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}

resource "azurerm_user_assigned_identity" "dead_letters" {
  name                = "id-${var.name}-dead-letters"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}
