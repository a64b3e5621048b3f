# Tests of the plan, with mock providers that answer from their schemas, without Azure.

mock_provider "azurerm" {
  mock_resource "azurerm_resource_group" {
    defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-diskseal" }
  }
}

mock_provider "azapi" {}

variables {
  subscription_id = "11111111-1111-1111-1111-111111111111"
  location        = "westeurope"
  package_uri     = "https://example.com/diskseal-linux-x86_64.zip"
  alert_emails    = ["ops@example.com"]
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
    condition     = toset(keys(azurerm_storage_queue.this)) == toset(["diskseal-pending", "diskseal-pending-poison", "diskseal-outcomes"])
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
    condition     = length(azurerm_private_endpoint.this) == 0 && length(azurerm_storage_account.evidence) == 0 && !contains(keys(local.settings), "DISKSEAL_EVIDENCE") && length(azurerm_subscription_policy_assignment.disks) == 0
    error_message = "The plan creates optional resources by default."
  }
  assert {
    condition     = length(azurerm_monitor_scheduled_query_rules_alert_v2.this) == length(jsondecode(file("../monitoring/alerts.json")))
    error_message = "An alert is missing."
  }
  assert {
    condition     = alltrue([for rule in azurerm_monitor_scheduled_query_rules_alert_v2.this : rule.enabled])
    error_message = "An alert is off although traces arrive."
  }
  assert {
    condition     = length(azapi_resource.otlp_rule) == 1 && length(azurerm_role_assignment.otlp_rule) == 1 && length([for name in keys(local.settings) : name if startswith(name, "DISKSEAL_AZURE_MONITOR_")]) == 3
    error_message = "Traces, metrics and logs do not arrive with the default installation."
  }
  assert {
    condition     = azapi_resource.otlp_rule[0].body.properties.directDataSources.otelTraces[0].streams == local.streams.traces
    error_message = "The rule has no source for traces."
  }
}

run "without_ingestion_alerts_that_need_traces_are_off" {
  command = plan

  variables {
    ingestion = false
    operators = [{ id = "33333333-3333-3333-3333-333333333333", type = "Group" }]
    runbook   = "https://example.com/runbook.md"
  }

  assert {
    condition     = toset([for name, rule in azurerm_monitor_scheduled_query_rules_alert_v2.this : name if !rule.enabled]) == toset(["silent", "slow"])
    error_message = "Other alerts than those that need traces are off."
  }
  assert {
    condition     = length(azapi_resource.otlp_rule) == 0 && !contains(keys(local.settings), "DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT")
    error_message = "The handler sends traces nowhere."
  }
  assert {
    condition     = length(azurerm_role_assignment.operators) == 3
    error_message = "The people on call lack a role."
  }
  assert {
    condition     = endswith(azurerm_monitor_scheduled_query_rules_alert_v2.this["poisoned"].description, " Runbook: https://example.com/runbook.md#poisoned")
    error_message = "The mail has no link to the runbook."
  }
}

run "alerts_without_a_recipient_are_refused" {
  command = plan

  variables {
    alert_emails = []
  }

  expect_failures = [var.alert_emails]
}

run "nobody_gets_mail_on_purpose" {
  command = plan

  variables {
    alert_emails = ["none"]
  }

  assert {
    condition     = length(azurerm_monitor_action_group.this.email_receiver) == 0
    error_message = "none is not an address."
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

run "a_doubled_subscription_counts_once" {
  command = plan

  variables {
    subscriptions = ["aaaaaaaa-1111-1111-1111-111111111111", "AAAAAAAA-1111-1111-1111-111111111111"]
  }

  assert {
    condition     = keys(azurerm_role_assignment.this) == ["aaaaaaaa-1111-1111-1111-111111111111"] && local.settings.DISKSEAL_SUBSCRIPTIONS == "aaaaaaaa-1111-1111-1111-111111111111"
    error_message = "A subscription that is listed twice counts twice."
  }
}

run "an_empty_subscription_is_refused" {
  command = plan

  variables {
    subscriptions = ["11111111-1111-1111-1111-111111111111", ""]
  }

  expect_failures = [var.subscriptions]
}

# Azure returns the definition of a role assignment below the assignment's own subscription, and the provider compares.
run "roles_and_filters_name_the_identity_as_azure_returns_it" {
  command = apply

  override_resource {
    target = azurerm_role_definition.this
    values = { role_definition_id = "99999999-9999-9999-9999-999999999999" }
  }
  override_resource {
    target = azurerm_user_assigned_identity.host
    values = { client_id = "77777777-7777-7777-7777-777777777777" }
  }
  override_resource {
    target = azurerm_role_definition.exporter
    values = { role_definition_id = "88888888-8888-8888-8888-888888888888" }
  }

  variables {
    subscriptions                = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]
    exporters                    = [{ id = "33333333-3333-3333-3333-333333333333", type = "Group" }]
    exporters_have_built_in_role = false
    # The rule's immutable ID is only known to Azure.
    ingestion = false
  }

  assert {
    condition     = alltrue([for id, one in azurerm_role_assignment.this : one.role_definition_id == "/subscriptions/${id}/providers/Microsoft.Authorization/roleDefinitions/99999999-9999-9999-9999-999999999999"])
    error_message = "An apply replaces the role assignments each time."
  }
  assert {
    condition     = alltrue([for one in azurerm_role_assignment.exporter : one.role_definition_id == "${one.scope}/providers/Microsoft.Authorization/roleDefinitions/88888888-8888-8888-8888-888888888888"])
    error_message = "An apply replaces the exporters' role assignments each time."
  }
  assert {
    condition     = azurerm_role_assignment.reader.scope == azurerm_resource_group.this.id && local.settings.DISKSEAL_SWITCH == azurerm_resource_group.this.id
    error_message = "The handler cannot read its switch."
  }
  # Each seal is a write of its own, whose event the handler would ignore.
  assert {
    condition     = alltrue([for one in azapi_resource.event_subscription : one.body.properties.filter.advancedFilters[1].key == "data.claims.appid" && one.body.properties.filter.advancedFilters[1].values[0] == "77777777-7777-7777-7777-777777777777"])
    error_message = "Own writes are delivered, or those of somebody else are not."
  }
}

run "audit_means_audit" {
  command = plan

  variables {
    backup_guard       = "off"
    assign_disk_policy = true
    snapshot_policy    = "Modify"
  }

  assert {
    condition     = !azurerm_subscription_policy_assignment.disks[var.subscription_id].enforce && !azurerm_subscription_policy_assignment.snapshots[var.subscription_id].enforce
    error_message = "A policy writes in audit mode."
  }
  assert {
    condition     = length(azurerm_subscription_policy_remediation.disks) + length(azurerm_subscription_policy_remediation.snapshots) == 0
    error_message = "A remediation writes in audit mode."
  }
}

run "a_policy_cannot_see_vaults" {
  command = plan

  variables {
    mode               = "enforce"
    assign_disk_policy = true
  }

  assert {
    condition     = azurerm_subscription_policy_assignment.disks[var.subscription_id].enforce && length(azurerm_subscription_policy_remediation.disks) == 0
    error_message = "A remediation seals disks that vaults protect."
  }
}

run "the_code_of_a_release_needs_no_cli" {
  command = plan

  assert {
    condition     = length(azapi_resource_action.code) == 1 && length(terraform_data.code) == 0 && azapi_resource_action.code[0].body.properties.packageUri == var.package_uri
    error_message = "The code of a release is not deployed by Resource Manager."
  }
}

run "a_missing_package_is_named_at_the_plan" {
  command = plan

  variables {
    package_uri = ""
    package     = "dist/missing.zip"
  }

  expect_failures = [terraform_data.code]
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
    policy_exemptions            = [{ subscription = "11111111-1111-1111-1111-111111111111", resource_group = "rg-restore", until = "2027-01-31", reason = "INC-1234" }]
    exporters                    = [{ id = "33333333-3333-3333-3333-333333333333", type = "Group" }]
    exporters_have_built_in_role = false
    alert_emails                 = ["ops@example.com"]
    otlp                         = { traces = "https://example.com/traces", data_collection_rule_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/watch/providers/Microsoft.Insights/dataCollectionRules/otlp" }
  }

  assert {
    condition     = length(azurerm_resource_group_policy_exemption.this) == 2 && alltrue([for one in azurerm_resource_group_policy_exemption.this : one.expires_on == "2027-01-31T23:59:59Z" && one.exemption_category == "Waiver"])
    error_message = "The group is not exempt from both policies through its last day."
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
    condition     = azurerm_subscription_policy_assignment.disks[var.subscription_id].enforce && azurerm_subscription_policy_remediation.disks[var.subscription_id].resource_discovery_mode == "ReEvaluateCompliance"
    error_message = "The remediation looks at nothing, because nothing is known to be non-compliant."
  }
  assert {
    condition     = local.settings.DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT == "https://example.com/traces" && !contains(keys(local.settings), "DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT")
    error_message = "The OTLP settings differ from the input."
  }
}

run "a_network_and_a_workspace_that_exist" {
  command = plan

  variables {
    private_network       = true
    function_subnet_id    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/function"
    endpoint_subnet_id    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints"
    existing_workspace_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/watch/providers/Microsoft.OperationalInsights/workspaces/central"
    operators             = [{ id = "33333333-3333-3333-3333-333333333333", type = "Group" }]
  }

  assert {
    condition     = length(azurerm_virtual_network.this) + length(azurerm_network_security_group.this) + length(azurerm_private_dns_zone.this) == 0
    error_message = "The plan makes a network beside the one that exists."
  }
  assert {
    condition     = azapi_resource.function.body.properties.virtualNetworkSubnetId == var.function_subnet_id && alltrue([for one in azurerm_private_endpoint.this : one.subnet_id == var.endpoint_subnet_id && length(one.private_dns_zone_group) == 0])
    error_message = "The app or the endpoints are not in the subnets that exist."
  }
  assert {
    condition     = length(azurerm_log_analytics_workspace.this) == 0 && azurerm_application_insights.this.workspace_id == var.existing_workspace_id && alltrue([for rule in azurerm_monitor_scheduled_query_rules_alert_v2.this : rule.scopes[0] == var.existing_workspace_id])
    error_message = "Telemetry or alerts do not use the workspace that exists."
  }
  assert {
    condition     = length(azurerm_role_assignment.operators) == 2
    error_message = "The plan gives rights on a workspace of somebody else."
  }
}

run "a_network_of_another_range" {
  command = plan

  variables {
    private_network = true
    network_prefix  = "10.1.2.0/26"
  }

  assert {
    condition     = azurerm_subnet.function[0].address_prefixes[0] == "10.1.2.0/27" && azurerm_subnet.endpoints[0].address_prefixes[0] == "10.1.2.32/27"
    error_message = "The subnets are not the halves of the network."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    subscription_id       = "production"
    location              = "West Europe"
    name                  = "X"
    subscriptions         = ["production"]
    management_group      = "/providers/Microsoft.Management/managementGroups/mg"
    cloud                 = "AzureMoon"
    mode                  = "on"
    sweep_schedule        = "0 * * * *"
    backup_guard          = "on"
    extra_settings        = { "DISKSEAL-TAGS" = "" }
    always_ready          = 2
    instance_memory       = 1024
    maximum_instances     = 0
    network_prefix        = "10.77.0.0/30"
    function_subnet_id    = "function"
    alert_emails          = ["ops"]
    runbook               = "http://example.com/runbook.md"
    operators             = [{ id = "ops@example.com", type = "Group" }]
    existing_workspace_id = "central"
    log_retention         = 7
    evidence_days         = -1
    otlp                  = { traces = "http://example.com" }
    existing_topics       = { production = "theirs" }
    policy_exemptions     = [{ subscription = "x", resource_group = "rg", until = "soon", reason = " " }]
    snapshot_policy       = "Deny"
    exporters             = [{ id = "33333333-3333-3333-3333-333333333333", type = "group" }]
    package_uri           = "http://example.com/diskseal.zip"
    package               = "dist/diskseal.tar"
    tags                  = { diskseal = "off" }
  }

  expect_failures = [
    var.subscription_id, var.location, var.name, var.subscriptions, var.management_group, var.cloud, var.mode, var.sweep_schedule,
    var.backup_guard, var.extra_settings, var.always_ready, var.instance_memory, var.maximum_instances, var.network_prefix,
    var.function_subnet_id, var.alert_emails, var.runbook, var.operators, var.existing_workspace_id,
    var.log_retention, var.evidence_days, var.otlp, var.existing_topics, var.snapshot_policy, var.policy_exemptions, var.exporters, var.package_uri, var.package, var.tags,
  ]
}

run "a_subnet_without_the_other_is_refused" {
  command = plan

  variables {
    private_network    = true
    function_subnet_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/function"
  }

  expect_failures = [var.endpoint_subnet_id]
}

run "evidence_has_a_container_that_nobody_changes_and_the_handler_a_role_on_it_alone" {
  command = plan

  variables {
    evidence_days = 400
  }

  assert {
    condition     = azurerm_storage_container_immutability_policy.evidence[0].immutability_period_in_days == 400
    error_message = "The container has another policy."
  }
  assert {
    condition     = length(azurerm_role_assignment.evidence) == 1 && length(azurerm_storage_container.evidence) == 1
    error_message = "The handler has no role on the container, or there is none."
  }
}
