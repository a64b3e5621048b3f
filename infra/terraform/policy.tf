# The safety net: Azure Policy. The built-in policy sets the auth mode of disks inside the create request and does not
# cover snapshots. The custom policy for snapshots audits by default, because Microsoft does not document whether their
# alias is modifiable.

locals {
  alias     = "Microsoft.Compute/snapshots/dataAccessAuthMode"
  policies  = { for id in local.subscriptions : id => "/subscriptions/${id}" if var.assign_disk_policy }
  snapshots = { for id in local.subscriptions : id => "/subscriptions/${id}" if var.snapshot_policy != "Off" }
  # A policy knows neither the mode of the handler nor what vaults protect.
  is_enforced   = var.mode == "enforce"
  is_remediated = local.is_enforced && var.backup_guard == "off"
  # The exemption of a resource group from each policy that is assigned.
  exemptions = {
    for pair in setproduct(concat(var.assign_disk_policy ? ["disks"] : [], var.snapshot_policy != "Off" ? ["snapshots"] : []), var.policy_exemptions) :
    "${pair[0]}/${pair[1].subscription}/${pair[1].resource_group}" => merge(pair[1], { policy = pair[0] })
  }
  modified = { for id, scope in local.snapshots : id => scope if var.snapshot_policy == "Modify" }
}

resource "azurerm_subscription_policy_assignment" "disks" {
  for_each             = local.policies
  name                 = "${var.name}-disks"
  display_name         = "Diskseal: seal disks inside the create request"
  subscription_id      = each.value
  location             = var.location
  policy_definition_id = "/providers/Microsoft.Authorization/policyDefinitions/c3921d55-b741-4d16-8d56-7f16e99e6892"
  parameters           = jsonencode({ effect = { value = "Modify" } })
  enforce              = local.is_enforced

  identity {
    type = "SystemAssigned"
  }
}

# The policies' identities need it to write disks: the built-in definition requires Contributor.
resource "azurerm_role_assignment" "disks_policy" {
  for_each           = local.policies
  scope              = each.value
  role_definition_id = "${each.value}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.contributor}"
  principal_id       = azurerm_subscription_policy_assignment.disks[each.key].identity[0].principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_subscription_policy_remediation" "disks" {
  for_each             = local.is_remediated ? local.policies : {}
  name                 = "${var.name}-disks"
  subscription_id      = each.value
  policy_assignment_id = azurerm_subscription_policy_assignment.disks[each.key].id
  # Right after the assignment no resource is known to be non-compliant.
  resource_discovery_mode = "ReEvaluateCompliance"
  depends_on              = [azurerm_role_assignment.disks_policy]
}

# In each subscription: azurerm would create the definition only in the provider's subscription.
resource "azapi_resource" "snapshot_policy" {
  for_each  = local.snapshots
  type      = "Microsoft.Authorization/policyDefinitions@2021-06-01"
  name      = "${var.name}-snapshots"
  parent_id = each.value

  body = {
    properties = {
      displayName = "Snapshots should demand Microsoft Entra ID for export"
      description = "Anyone with the SAS URL can download a snapshot whose dataAccessAuthMode is not AzureActiveDirectory."
      policyType  = "Custom"
      mode        = "Indexed"
      metadata    = { category = "Compute", version = "1.0.0" }
      policyRule = {
        "if" = {
          allOf = [
            { field = "type", equals = "Microsoft.Compute/snapshots" },
            { field = local.alias, notEquals = "AzureActiveDirectory" },
          ]
        }
        then = merge({ effect = var.snapshot_policy }, var.snapshot_policy != "Modify" ? {} : {
          details = {
            roleDefinitionIds = ["/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.contributor}"]
            conflictEffect    = "audit"
            operations        = [{ operation = "addOrReplace", field = local.alias, value = "AzureActiveDirectory" }]
          }
        })
      }
    }
  }
}

resource "azurerm_subscription_policy_assignment" "snapshots" {
  for_each             = local.snapshots
  name                 = "${var.name}-snapshots"
  display_name         = "Diskseal: snapshots"
  subscription_id      = each.value
  location             = var.location
  policy_definition_id = azapi_resource.snapshot_policy[each.key].id
  # The effect Audit only reports.
  enforce = local.is_enforced || var.snapshot_policy == "Audit"

  dynamic "identity" {
    for_each = var.snapshot_policy == "Modify" ? [1] : []
    content {
      type = "SystemAssigned"
    }
  }
}

resource "azurerm_role_assignment" "snapshots_policy" {
  for_each           = local.modified
  scope              = each.value
  role_definition_id = "${each.value}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.contributor}"
  principal_id       = azurerm_subscription_policy_assignment.snapshots[each.key].identity[0].principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_subscription_policy_remediation" "snapshots" {
  for_each                = local.is_remediated ? local.modified : {}
  name                    = "${var.name}-snapshots"
  subscription_id         = each.value
  policy_assignment_id    = azurerm_subscription_policy_assignment.snapshots[each.key].id
  resource_discovery_mode = "ReEvaluateCompliance"
  depends_on              = [azurerm_role_assignment.snapshots_policy]
}

resource "azurerm_resource_group_policy_exemption" "this" {
  for_each           = local.exemptions
  name               = "${var.name}-${each.value.policy}"
  display_name       = "Diskseal: ${each.value.policy} of ${each.value.resource_group}"
  description        = each.value.reason
  exemption_category = "Waiver"
  # A policy exempts until a moment, and the handler until the end of a day in UTC.
  expires_on           = "${each.value.until}T23:59:59Z"
  resource_group_id    = "/subscriptions/${each.value.subscription}/resourceGroups/${each.value.resource_group}"
  policy_assignment_id = each.value.policy == "disks" ? azurerm_subscription_policy_assignment.disks[lower(each.value.subscription)].id : azurerm_subscription_policy_assignment.snapshots[lower(each.value.subscription)].id
}
