// The one system topic that a subscription may have.

param name string
param tags object

@description('Identity by which dead letters are written.')
param deadLetterIdentityId string

param workspaceId string

var events = loadJsonContent('../events.json')

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  // checkov:skip=CKV_AZURE_193: a system topic has no public access to switch off
  name: name
  // Resource Manager's events belong to no region.
  location: 'global'
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${deadLetterIdentityId}': {}
    }
  }
  properties: {
    source: subscription().id
    topicType: events.topicType
  }
}

resource failures 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'delivery-failures'
  scope: topic
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'DeliveryFailures'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}
