# Azure Monitor's OTLP ingestion: traces and logs go to the Log Analytics workspace, metrics to an Azure Monitor
# workspace. azapi, because azurerm has no sources for OTLP. modules/ingestion.bicep says where the form is from.

locals {
  has_ingestion = var.ingestion && var.otlp.traces == "" && var.otlp.metrics == "" && var.otlp.logs == ""
  has_traces    = local.has_ingestion || var.otlp.traces != ""

  streams = {
    traces  = ["Microsoft-OTel-Traces-Spans", "Microsoft-OTel-Traces-Events", "Microsoft-OTel-Traces-Resources"]
    logs    = ["Microsoft-OTel-Logs"]
    metrics = ["Custom-Metrics-Otel"]
  }
  sources = { for signal, streams in local.streams : signal => merge({
    streams                      = streams
    enrichWithResourceAttributes = ["*"]
    enrichWithReference          = "component"
  }, signal == "metrics" ? {} : { replaceResourceIdWithReference = true }) }

  rule = local.has_ingestion ? "datacollectionRules/${azapi_resource.otlp_rule[0].output.properties.immutableId}/streams" : ""
  # The streams of the addresses of traces and logs have other names than those of the rule.
  otlp = local.has_ingestion ? {
    traces  = "${azurerm_monitor_data_collection_endpoint.otlp[0].logs_ingestion_endpoint}/${local.rule}/Microsoft-OTLP-Traces/otlp/v1/traces"
    logs    = "${azurerm_monitor_data_collection_endpoint.otlp[0].logs_ingestion_endpoint}/${local.rule}/Microsoft-OTLP-Logs/otlp/v1/logs"
    metrics = "${azurerm_monitor_data_collection_endpoint.otlp[0].metrics_ingestion_endpoint}/${local.rule}/Custom-Metrics-Otel/otlp/v1/metrics"
    } : {
    traces  = var.otlp.traces
    logs    = var.otlp.logs
    metrics = var.otlp.metrics
  }
}

resource "azurerm_monitor_workspace" "metrics" {
  count               = local.has_ingestion ? 1 : 0
  name                = "amw-${var.name}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}

resource "azurerm_monitor_data_collection_endpoint" "otlp" {
  count                         = local.has_ingestion ? 1 : 0
  name                          = "dce-${var.name}"
  location                      = azurerm_resource_group.this.location
  resource_group_name           = azurerm_resource_group.this.name
  public_network_access_enabled = true
  tags                          = local.tags
}

resource "azapi_resource" "otlp_rule" {
  count                  = local.has_ingestion ? 1 : 0
  type                   = "Microsoft.Insights/dataCollectionRules@2024-03-11"
  name                   = "dcr-${var.name}"
  parent_id              = azurerm_resource_group.this.id
  location               = azurerm_resource_group.this.location
  tags                   = local.tags
  response_export_values = ["properties.immutableId"]

  body = {
    properties = {
      dataCollectionEndpointId = azurerm_monitor_data_collection_endpoint.otlp[0].id
      references = {
        applicationInsights = [{ name = "component", resourceId = azurerm_application_insights.this.id }]
      }
      dataSources = {
        otelTraces  = [merge(local.sources.traces, { name = "agentTraces" })]
        otelLogs    = [merge(local.sources.logs, { name = "agentLogs" })]
        otelMetrics = [merge(local.sources.metrics, { name = "agentMetrics" })]
      }
      directDataSources = {
        otelTraces  = [merge(local.sources.traces, { name = "traces" })]
        otelLogs    = [merge(local.sources.logs, { name = "logs" })]
        otelMetrics = [merge(local.sources.metrics, { name = "metrics" })]
      }
      destinations = {
        logAnalytics       = [{ name = "workspace", workspaceResourceId = local.workspace_id }]
        monitoringAccounts = [{ name = "metrics", accountResourceId = azurerm_monitor_workspace.metrics[0].id }]
      }
      dataFlows = [
        { streams = local.streams.traces, destinations = ["workspace"] },
        { streams = local.streams.logs, destinations = ["workspace"] },
        { streams = local.streams.metrics, destinations = ["metrics"] },
      ]
    }
  }
}

resource "azurerm_role_assignment" "otlp_rule" {
  count              = local.has_ingestion ? 1 : 0
  scope              = azapi_resource.otlp_rule[0].id
  role_definition_id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn.monitoringMetricsPublisher}"
  principal_id       = azurerm_user_assigned_identity.host.principal_id
  principal_type     = "ServicePrincipal"
}

# What the people on call need to follow docs/runbook.md. Owner and Contributor do not include the data of a storage
# account. modules/operators.bicep says why each.
locals {
  operator_roles = merge({
    storageBlobDataContributor  = "${azurerm_storage_account.this.id}/blobServices/default/containers/${local.events.deadLetterContainer}"
    storageQueueDataContributor = azurerm_storage_account.this.id
    },
    # Who may read a workspace of somebody else is for its owner to say.
  var.existing_workspace_id != "" ? {} : { logAnalyticsReader = local.workspace_id })
}

resource "azurerm_role_assignment" "operators" {
  for_each = merge([for operator in var.operators : {
    for role, scope in local.operator_roles : "${operator.id} ${role}" => { operator = operator, role = role, scope = scope }
  }]...)
  scope              = each.value.scope
  role_definition_id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${local.roles.builtIn[each.value.role]}"
  principal_id       = each.value.operator.id
  principal_type     = each.value.operator.type
}
