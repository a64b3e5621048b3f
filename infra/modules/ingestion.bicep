// Azure Monitor's OTLP ingestion: traces and logs go to the Log Analytics workspace, metrics to an Azure Monitor
// workspace. The rule has the form of Microsoft's template ("Ingest OTLP data into Azure Monitor by using OTel
// Collector", option 2): Azure refuses a reference that only directDataSources use.

param name string
param location string
param tags { *: string }
param workspaceId string
param componentId string
param hostPrincipalId string

var roles = loadJsonContent('../role-actions.json').builtIn
var enrichment = 'component'
var logStreams = [
  'Microsoft-OTel-Logs'
]
var traceStreams = [
  'Microsoft-OTel-Traces-Spans'
  'Microsoft-OTel-Traces-Events'
  'Microsoft-OTel-Traces-Resources'
]
var metricStreams = [
  'Custom-Metrics-Otel'
]
var everyAttribute = [
  '*'
]

resource metrics 'Microsoft.Monitor/accounts@2023-04-03' = {
  name: 'amw-${name}'
  location: location
  tags: tags
  properties: {}
}

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2024-03-11' = {
  name: 'dce-${name}'
  location: location
  tags: tags
  properties: {
    networkAcls: {
      publicNetworkAccess: 'Enabled'
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: 'dcr-${name}'
  location: location
  tags: tags
  properties: {
    dataCollectionEndpointId: endpoint.id
    references: {
      applicationInsights: [
        {
          name: enrichment
          resourceId: componentId
        }
      ]
    }
    dataSources: {
      otelTraces: [
        {
          name: 'agentTraces'
          streams: traceStreams
          enrichWithResourceAttributes: everyAttribute
          enrichWithReference: enrichment
          replaceResourceIdWithReference: true
        }
      ]
      otelLogs: [
        {
          name: 'agentLogs'
          streams: logStreams
          enrichWithResourceAttributes: everyAttribute
          enrichWithReference: enrichment
          replaceResourceIdWithReference: true
        }
      ]
      otelMetrics: [
        {
          name: 'agentMetrics'
          streams: metricStreams
          enrichWithResourceAttributes: everyAttribute
          enrichWithReference: enrichment
        }
      ]
    }
    directDataSources: {
      otelTraces: [
        {
          name: 'traces'
          streams: traceStreams
          enrichWithResourceAttributes: everyAttribute
          enrichWithReference: enrichment
          replaceResourceIdWithReference: true
        }
      ]
      otelLogs: [
        {
          name: 'logs'
          streams: logStreams
          enrichWithResourceAttributes: everyAttribute
          enrichWithReference: enrichment
          replaceResourceIdWithReference: true
        }
      ]
      otelMetrics: [
        {
          name: 'metrics'
          streams: metricStreams
          enrichWithResourceAttributes: everyAttribute
          enrichWithReference: enrichment
        }
      ]
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspaceId
        }
      ]
      monitoringAccounts: [
        {
          name: 'metrics'
          accountResourceId: metrics.id
        }
      ]
    }
    dataFlows: [
      {
        streams: traceStreams
        destinations: [
          'workspace'
        ]
      }
      {
        streams: logStreams
        destinations: [
          'workspace'
        ]
      }
      {
        streams: metricStreams
        destinations: [
          'metrics'
        ]
      }
    ]
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(rule.id, hostPrincipalId, roles.monitoringMetricsPublisher)
  scope: rule
  properties: {
    principalId: hostPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.monitoringMetricsPublisher
    )
  }
}

var logsRoute = '${endpoint.properties.logsIngestion.endpoint}/datacollectionRules/${rule.properties.immutableId}/streams'
var metricsRoute = '${endpoint.properties.metricsIngestion.endpoint}/datacollectionRules/${rule.properties.immutableId}/streams'

@description('The streams of the addresses of traces and logs have other names than those of the rule.')
output traces string = '${logsRoute}/Microsoft-OTLP-Traces/otlp/v1/traces'
output logs string = '${logsRoute}/Microsoft-OTLP-Logs/otlp/v1/logs'
output metrics string = '${metricsRoute}/Custom-Metrics-Otel/otlp/v1/metrics'
