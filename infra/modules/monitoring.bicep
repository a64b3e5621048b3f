// The workspace and Application Insights, the roles to send telemetry, and the recipients of alerts.

param name string
param location string
param tags object

@description('Workspace to use instead of one that is made here. Empty makes one.')
param existingWorkspaceId string

param retention int
param hostPrincipalId string
param emails array

var roles = loadJsonContent('../role-actions.json').builtIn

resource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' = if (empty(existingWorkspaceId)) {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retention
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

var workspaceId = empty(existingWorkspaceId) ? workspace.id : existingWorkspaceId

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    // The instrumentation key is not enough to send telemetry: ingestion requires an Entra token.
    DisableLocalAuth: true
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, hostPrincipalId, roles.monitoringMetricsPublisher)
  scope: component
  properties: {
    principalId: hostPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.monitoringMetricsPublisher
    )
  }
}

resource actionGroup 'Microsoft.Insights/actionGroups@2021-09-01' = {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'diskseal'
    enabled: true
    emailReceivers: [
      for (email, i) in emails: {
        name: 'mail-${i}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

output workspaceId string = workspaceId
output workspaceName string = last(split(workspaceId, '/'))
output componentId string = component.id
@secure()
output connectionString string = component.properties.ConnectionString
output actionGroupId string = actionGroup.id
