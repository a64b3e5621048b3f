// The event subscriptions: the last step, because Event Grid checks that the function exists.

targetScope = 'subscription'

param name string = 'diskseal'
param location string

@description('IDs of the subscriptions in scope, comma-separated.')
param subscriptions string

@description('Existing system topics, as a map from subscription ID to the resource ID of the topic.')
param existingTopics object = {}

param functionAppId string
param deadLetterIdentityId string
param storageAccountId string
param deadLetterContainer string
param workspaceId string

@description('Send the activity logs to the workspace. An alert uses them to find writes without an event.')
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
