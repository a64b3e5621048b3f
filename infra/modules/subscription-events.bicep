// The resources of one subscription in scope that deliver its writes to the function.

targetScope = 'subscription'

param name string
param location string
param tags { *: string }
param functionId string

@description('ID of the existing system topic of this subscription. Empty creates one. A subscription can have only one.')
param existingTopicId string

param deadLetterIdentityId string
param storageAccountId string
param deadLetterContainer string
param handlerClientId string
param workspaceId string

@description('Send the activity log of the subscription to the workspace. An alert uses it to find writes without an event.')
param sendActivityLog bool

@description('Deliver grants of access to disks and snapshots as well.')
param grants bool

var groupName = 'rg-${name}-events'

resource group 'Microsoft.Resources/resourceGroups@2025-03-01' = if (empty(existingTopicId)) {
  name: groupName
  location: location
  tags: tags
}

module topic 'system-topic.bicep' = if (empty(existingTopicId)) {
  scope: resourceGroup(groupName)
  dependsOn: [
    group
  ]
  params: {
    name: 'topic-${name}'
    tags: tags
    deadLetterIdentityId: deadLetterIdentityId
    workspaceId: workspaceId
  }
}

module events 'event-subscription.bicep' = {
  scope: resourceGroup(empty(existingTopicId) ? groupName : split(existingTopicId, '/')[4])
  dependsOn: [
    topic
  ]
  params: {
    name: name
    topicName: empty(existingTopicId) ? 'topic-${name}' : last(split(existingTopicId, '/'))
    functionId: functionId
    deadLetterIdentityId: deadLetterIdentityId
    storageAccountId: storageAccountId
    deadLetterContainer: deadLetterContainer
    handlerClientId: handlerClientId
    grants: grants
  }
}

resource activityLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (sendActivityLog) {
  name: name
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'Administrative'
        enabled: true
      }
    ]
  }
}
