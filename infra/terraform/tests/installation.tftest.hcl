# Tests of the plan, with mock providers that answer from their schemas, without Azure.

mock_provider "azurerm" {
  mock_resource "azurerm_resource_group" {
    defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-diskseal" }
  }
}

mock_provider "azapi" {}

# The Azure CLI deploys the code, and the tests have none.
override_resource {
  target = terraform_data.code
}

variables {
  subscription_id = "11111111-1111-1111-1111-111111111111"
  location        = "westeurope"
}

run "one_subscription" {
  command = plan

  assert {
    condition     = toset(azurerm_role_definition.this.permissions[0].actions) == toset(concat(local.roles.actions, local.roles.optional.backupGuard))
    error_message = "The role differs from role-actions.json."
  }
  assert {
    condition     = alltrue([for action in azurerm_role_definition.this.permissions[0].actions : !strcontains(action, "*")])
    error_message = "The role has a wildcard."
  }
  assert {
    condition     = keys(azurerm_role_assignment.this) == ["11111111-1111-1111-1111-111111111111"]
    error_message = "The role is not on the subscription."
  }
  assert {
    condition     = toset(keys(azurerm_storage_queue.this)) == toset(["diskseal-pending", "diskseal-pending-poison"])
    error_message = "The queues differ from those of the functions."
  }
  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled && azurerm_storage_account.this.min_tls_version == "TLS1_2"
    error_message = "The storage has keys, or accepts old TLS."
  }
  assert {
    condition     = local.settings.DISKSEAL_MODE == "audit"
    error_message = "The default mode is not audit."
  }
  assert {
    condition     = length(azapi_resource.event_subscription) == 1 && length(azapi_resource.topic) == 1
    error_message = "The plan has not exactly one topic and one event subscription."
  }
  assert {
    condition     = azapi_resource.event_subscription["11111111-1111-1111-1111-111111111111"].body.properties.filter.advancedFilters[0].values == local.events.operations
    error_message = "The filter differs from events.json."
  }
  assert {
    condition     = length(azurerm_private_endpoint.this) == 0 && length(azurerm_subscription_policy_assignment.disks) == 0
    error_message = "The plan creates optional resources by default."
  }
  assert {
    condition     = length(azurerm_monitor_scheduled_query_rules_alert_v2.this) == length(jsondecode(file("../monitoring/alerts.json")))
    error_message = "An alert is missing."
  }
}

run "many_subscriptions_one_with_a_topic" {
  command = plan

  variables {
    subscriptions   = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]
    existing_topics = { "22222222-2222-2222-2222-222222222222" = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg/providers/Microsoft.EventGrid/systemTopics/theirs" }
  }

  assert {
    condition     = keys(azapi_resource.topic) == ["11111111-1111-1111-1111-111111111111"]
    error_message = "The plan creates a second topic in a subscription that has one."
  }
  assert {
    condition     = azapi_resource.event_subscription["22222222-2222-2222-2222-222222222222"].parent_id == var.existing_topics["22222222-2222-2222-2222-222222222222"]
    error_message = "The plan does not use the existing topic."
  }
  assert {
    condition     = local.settings.DISKSEAL_SUBSCRIPTIONS == join(",", var.subscriptions)
    error_message = "The scopes of the handler and of its role differ."
  }
}

run "management_group" {
  command = plan

  variables {
    subscriptions    = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]
    management_group = "mg"
  }

  assert {
    condition     = azurerm_role_definition.this.scope == "/providers/Microsoft.Management/managementGroups/mg" && length(azurerm_role_assignment.this) == 1
    error_message = "The role is not on the management group."
  }
  assert {
    condition     = contains(azurerm_role_definition.this.permissions[0].actions, "Microsoft.Management/managementGroups/descendants/read")
    error_message = "The role cannot list the subscriptions of the group."
  }
  assert {
    condition     = !contains(keys(local.settings), "DISKSEAL_SUBSCRIPTIONS") && local.settings["DISKSEAL_MANAGEMENT_GROUP"] == "mg"
    error_message = "New subscriptions of the group are out of scope."
  }
}

run "everything" {
  command = plan

  variables {
    private_network              = true
    always_ready                 = 1
    mode                         = "enforce"
    backup_guard                 = "off"
    assign_disk_policy           = true
    snapshot_policy              = "Audit"
    exporters                    = [{ id = "33333333-3333-3333-3333-333333333333", type = "Group" }]
    exporters_have_built_in_role = false
    alert_emails                 = ["ops@example.com"]
    otlp                         = { traces = "https://example.com/traces", data_collection_rule_id = "/rule" }
  }

  assert {
    condition     = length(azurerm_private_endpoint.this) == 3 && azurerm_storage_account.this.network_rules[0].default_action == "Deny"
    error_message = "The storage is not private."
  }
  assert {
    condition     = toset(azurerm_role_definition.this.permissions[0].actions) == toset(local.roles.actions)
    error_message = "The role reads vaults although the guard is off."
  }
  assert {
    condition     = toset(azurerm_role_definition.exporter[0].permissions[0].data_actions) == toset(local.roles.exporter.dataActions) && length(azurerm_role_assignment.exporter) == 1
    error_message = "The exporters' role does not have exactly the four data actions."
  }
  assert {
    condition     = azapi_resource.snapshot_policy[var.subscription_id].body.properties.policyRule.then.effect == "Audit" && length(azurerm_subscription_policy_remediation.snapshots) == 0
    error_message = "The audit policy has another effect, or a remediation."
  }
  assert {
    condition     = local.settings.DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT == "https://example.com/traces" && !contains(keys(local.settings), "DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT")
    error_message = "The OTLP settings differ from the input."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    mode           = "on"
    sweep_schedule = "0 * * * *"
    always_ready   = 2
    cloud          = "AzureMoon"
  }

  expect_failures = [var.mode, var.sweep_schedule, var.always_ready, var.cloud]
}
