# The handler's role, and the role of the exporters.

resource "azurerm_role_definition" "this" {
  # Role names are unique within a tenant.
  name              = var.management_group == "" ? "${local.roles.roleName} (${var.name})" : "${local.roles.roleName} (${var.name}, ${var.management_group})"
  description       = local.roles.description
  scope             = values(local.scopes)[0]
  assignable_scopes = values(local.scopes)

  permissions {
    actions      = local.actions
    data_actions = []
  }
}

# The switch is a tag of the resource group, which need not be in scope.
resource "azurerm_role_assignment" "reader" {
  scope              = azurerm_resource_group.this.id
  role_definition_id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.reader}"
  principal_id       = azurerm_user_assigned_identity.host.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "this" {
  for_each = local.scopes
  scope    = each.value
  # As Azure returns it: below the subscription of the assignment. Any other form replaces the assignment at each apply.
  role_definition_id = "${var.management_group == "" ? each.value : ""}/providers/Microsoft.Authorization/roleDefinitions/${azurerm_role_definition.this.role_definition_id}"
  principal_id       = azurerm_user_assigned_identity.host.principal_id
  principal_type     = "ServicePrincipal"
}

locals {
  exports = { for pair in setproduct(local.subscriptions, var.exporters) : "${pair[0]}/${pair[1].id}" => { subscription = pair[0], exporter = pair[1] } }
}

resource "azurerm_role_definition" "exporter" {
  count             = length(var.exporters) > 0 && !var.exporters_have_built_in_role ? 1 : 0
  name              = "${local.roles.exporter.roleName} (${var.name})"
  description       = local.roles.exporter.description
  scope             = "/subscriptions/${local.subscriptions[0]}"
  assignable_scopes = [for id in local.subscriptions : "/subscriptions/${id}"]

  permissions {
    actions      = []
    data_actions = local.roles.exporter.dataActions
  }
}

resource "azurerm_role_assignment" "exporter" {
  for_each           = local.exports
  scope              = "/subscriptions/${each.value.subscription}"
  role_definition_id = var.exporters_have_built_in_role ? "/subscriptions/${each.value.subscription}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.dataOperatorForManagedDisks}" : "/subscriptions/${each.value.subscription}/providers/Microsoft.Authorization/roleDefinitions/${azurerm_role_definition.exporter[0].role_definition_id}"
  principal_id       = each.value.exporter.id
  principal_type     = each.value.exporter.type
}
