// Alerts and the workbook, from infra/monitoring. tests/queries checks their queries.

param name string
param location string
param tags object
param workspaceId string
param actionGroupId string

@description('Whether the handler sends traces. Alerts that need them are off otherwise.')
param hasTraces bool

@description('Address of docs/runbook.md, without an anchor.')
param runbook string

@description('Client ID of the handler, whose own writes raise no event.')
param handlerClientId string

var rules = loadJsonContent('../monitoring/alerts.json')
var workbook = loadTextContent('../monitoring/workbook.json')
// A portal would take an address without a host for one of its own.
var linked = startsWith(runbook, 'https://') ? '[docs/runbook.md](${runbook})' : runbook

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: '${name}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.displayName
      description: '${rule.description} Runbook: ${replace(rule.runbook, 'docs/runbook.md', runbook)}'
      severity: rule.severity
      enabled: rule.needsTraces ? hasTraces : true
      scopes: [
        workspaceId
      ]
      evaluationFrequency: rule.evaluationFrequency
      windowSize: rule.windowSize
      // Azure creates the tables with the first row. Queries work without them: Azure disables a rule whose query fails
      // for a week.
      skipQueryValidation: true
      autoMitigate: rule.autoMitigate
      criteria: {
        allOf: [
          {
            query: replace(rule.query, '__HANDLER_CLIENT_ID__', handlerClientId)
            timeAggregation: rule.timeAggregation
            metricMeasureColumn: rule.metricMeasureColumn
            operator: rule.operator
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: rule.numberOfEvaluationPeriods
              minFailingPeriodsToAlert: rule.minFailingPeriodsToAlert
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          actionGroupId
        ]
        // In the mail and in the common alert schema.
        customProperties: {
          product: 'Diskseal'
        severity: 'Sev${rule.severity}'
          installation: name
          runbook: replace(rule.runbook, 'docs/runbook.md', runbook)
        }
      }
    }
  }
]

resource board 'Microsoft.Insights/workbooks@2022-04-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Diskseal (${name})'
    category: 'workbook'
    sourceId: workspaceId
    serializedData: replace(replace(workbook, '__WORKSPACE_ID__', workspaceId), '__RUNBOOK__', linked)
  }
}
