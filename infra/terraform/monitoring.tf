# The workspace and Application Insights, the roles to send telemetry, the alerts and their recipients.

locals {
  # The repository's address stands in Cargo.toml alone.
  repository = try(trimsuffix(regex("(?m)^repository\\s*=\\s*\"([^\"]+)\"", file("${path.module}/../../Cargo.toml"))[0], "/"), "")
  # A portal would take an address without a host for one of its own.
  linked       = startswith(local.runbook, "https://") ? "[docs/runbook.md](${local.runbook})" : local.runbook
  runbook      = var.runbook != "" ? var.runbook : local.repository != "" ? "${local.repository}/blob/HEAD/docs/runbook.md" : "docs/runbook.md"
  workspace_id = var.existing_workspace_id == "" ? azurerm_log_analytics_workspace.this[0].id : var.existing_workspace_id

  alerts = { for rule in jsondecode(file("${path.module}/../monitoring/alerts.json")) : rule.name => rule }
}

resource "azurerm_log_analytics_workspace" "this" {
  count                        = var.existing_workspace_id == "" ? 1 : 0
  name                         = "log-${var.name}"
  location                     = azurerm_resource_group.this.location
  resource_group_name          = azurerm_resource_group.this.name
  sku                          = "PerGB2018"
  retention_in_days            = var.log_retention
  local_authentication_enabled = false
  tags                         = local.tags
}

resource "azurerm_application_insights" "this" {
  name                = "appi-${var.name}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  application_type    = "web"
  workspace_id        = local.workspace_id
  # The instrumentation key is not enough to send telemetry: ingestion requires an Entra token.
  local_authentication_disabled = true
  tags                          = local.tags
}

resource "azurerm_role_assignment" "publisher" {
  for_each = merge({ component = azurerm_application_insights.this.id },
  var.otlp.data_collection_rule_id == "" ? {} : { rule = var.otlp.data_collection_rule_id })
  scope              = each.value
  role_definition_id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.monitoringMetricsPublisher}"
  principal_id       = azurerm_user_assigned_identity.host.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_monitor_action_group" "this" {
  name                = "ag-${var.name}"
  resource_group_name = azurerm_resource_group.this.name
  short_name          = "diskseal"
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = contains(var.alert_emails, "none") ? [] : var.alert_emails
    content {
      name                    = "mail-${email_receiver.key}"
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each                = local.alerts
  name                    = "${var.name}-${each.key}"
  location                = azurerm_resource_group.this.location
  resource_group_name     = azurerm_resource_group.this.name
  display_name            = each.value.displayName
  description             = "${each.value.description} Runbook: ${replace(each.value.runbook, "docs/runbook.md", local.runbook)}"
  enabled                 = each.value.needsTraces ? local.has_traces : true
  severity                = each.value.severity
  scopes                  = [local.workspace_id]
  evaluation_frequency    = each.value.evaluationFrequency
  window_duration         = each.value.windowSize
  auto_mitigation_enabled = each.value.autoMitigate
  # Azure creates the tables with the first row. Queries work without them: Azure disables a rule whose query fails for
  # a week.
  skip_query_validation = true
  tags                  = local.tags

  criteria {
    query                   = replace(each.value.query, "__HANDLER_CLIENT_ID__", azurerm_user_assigned_identity.host.client_id)
    time_aggregation_method = each.value.timeAggregation
    metric_measure_column   = each.value.metricMeasureColumn
    operator                = each.value.operator
    threshold               = each.value.threshold

    failing_periods {
      number_of_evaluation_periods             = each.value.numberOfEvaluationPeriods
      minimum_failing_periods_to_trigger_alert = each.value.minFailingPeriodsToAlert
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.this.id]
    # In the mail and in the common alert schema.
    custom_properties = {
      product      = "Diskseal"
      severity     = "Sev${each.value.severity}"
      installation = var.name
      runbook      = replace(each.value.runbook, "docs/runbook.md", local.runbook)
    }
  }
}

resource "azurerm_application_insights_workbook" "this" {
  name                = uuidv5("url", "${azurerm_resource_group.this.id}/workbook")
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  display_name        = "Diskseal (${var.name})"
  source_id           = lower(local.workspace_id)
  data_json           = replace(replace(file("${path.module}/../monitoring/workbook.json"), "__WORKSPACE_ID__", local.workspace_id), "__RUNBOOK__", local.linked)
  tags                = local.tags
}
