// The role to send telemetry through an existing data collection rule.

param ruleName string
param principalId string

var roles = loadJsonContent('../role-actions.json').builtIn

resource rule 'Microsoft.Insights/dataCollectionRules@2021-04-01' existing = {
  name: ruleName
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(rule.id, principalId, roles.monitoringMetricsPublisher)
  scope: rule
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.monitoringMetricsPublisher
    )
  }
}
