// The event subscriptions: the last step, because Event Grid asks whether the function is there.

targetScope = 'subscription'

param name string = 'diskseal'
param location string

@description('Subscriptions in scope: their IDs, comma-separated.')
param subscriptions string

@description('System topics that subscriptions have already: subscription ID to the topic\'s resource ID.')
param existingTopics object = {}

param functionAppId string
param deadLetterIdentityId string
param storageAccountId string
param deadLetterContainer string
param workspaceId string

@description('Whether to send the activity logs to the workspace, by which an alert sees writes that no event told of.')
param sendActivityLog bool = true

param tags object = {}

var events = loadJsonContent('events.json')

module perSubscription 'modules/subscription-events.bicep' = [for id in split(subscriptions, ','): {
  name: '${name}-events'
  scope: subscription(id)
  params: {
    name: name
    location: location
    tags: union(tags, {
      application: 'diskseal'
    })
    functionId: '${functionAppId}/functions/${events.function}'
    existingTopicId: contains(existingTopics, id) ? existingTopics[id] : ''
    deadLetterIdentityId: deadLetterIdentityId
    storageAccountId: storageAccountId
    deadLetterContainer: deadLetterContainer
    workspaceId: workspaceId
    sendActivityLog: sendActivityLog
  }
}]
