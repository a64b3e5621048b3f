// The system topic of a subscription, which can have only one.

param name string
param tags { *: string }

@description('Identity that writes dead letters.')
param deadLetterIdentityId string

param workspaceId string

var events = loadJsonContent('../events.json')

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  // checkov:skip=CKV_AZURE_193: a system topic has no public access to disable
  name: name
  // Resource Manager's events have no region.
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
