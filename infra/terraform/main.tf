# Bicep and Terraform share one list of names and roles.

locals {
  roles  = jsondecode(file("${path.module}/../role-actions.json"))
  events = jsondecode(file("${path.module}/../events.json"))

  clouds = {
    AzurePublic       = { azurerm = "public", storage = "core.windows.net" }
    AzureUSGovernment = { azurerm = "usgovernment", storage = "core.usgovcloudapi.net" }
    AzureChina        = { azurerm = "china", storage = "core.chinacloudapi.cn" }
  }

  # A subscription that occurs twice counts once. Below a management group, new ones are found at the next apply.
  listed        = var.management_group == "" || length(var.subscriptions) > 0 ? var.subscriptions : data.azurerm_management_group.this[0].all_subscription_ids
  subscriptions = length(local.listed) == 0 ? [lower(var.subscription_id)] : distinct([for id in local.listed : lower(element(split("/", id), length(split("/", id)) - 1))])
  scopes        = var.management_group == "" ? { for id in local.subscriptions : id => "/subscriptions/${id}" } : { (var.management_group) = "/providers/Microsoft.Management/managementGroups/${var.management_group}" }
  token         = substr(sha256("${var.subscription_id}/${var.name}"), 0, 13)
  tags          = merge(var.tags, { application = "diskseal" })
  actions = concat(
    local.roles.actions,
    var.management_group == "" ? [] : local.roles.optional.managementGroup,
    var.backup_guard == "off" ? [] : local.roles.optional.backupGuard,
    var.revoke ? local.roles.optional.revoke : [],
  )
}

resource "azurerm_resource_group" "this" {
  name     = "rg-${var.name}"
  location = var.location
  tags     = local.tags

  lifecycle {
    # The tag diskseal=off is the switch: it is set by hand, and an apply leaves it.
    ignore_changes = [tags["diskseal"]]
  }
}

data "azurerm_management_group" "this" {
  count = var.management_group != "" && length(var.subscriptions) == 0 ? 1 : 0
  name  = var.management_group
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
