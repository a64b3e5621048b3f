// The event subscriptions: the last step, because Event Grid checks that the function exists. A loop of Resource Manager
// ends at 800 subscriptions, so infra/deploy.sh deploys this for 200 at a time.

targetScope = 'subscription'

param name string = 'diskseal'
param location string

@description('IDs of the subscriptions in scope, comma-separated.')
param subscriptions string

@description('Existing system topics, as a map from subscription ID to the resource ID of the topic.')
param existingTopics { *: string } = {}

param functionAppId string
param deadLetterIdentityId string
param storageAccountId string
param deadLetterContainer string

@description('Client ID of the handler, whose own writes are not delivered.')
param handlerClientId string

param workspaceId string

@description('Send the activity logs to the workspace. An alert uses them to find writes without an event.')
param sendActivityLog bool = true

@description('Deliver grants of access to disks and snapshots as well.')
param grants bool = false

param tags { *: string } = {}

var events = loadJsonContent('events.json')

var requested = split(toLower(replace(subscriptions, ' ', '')), ',')
var inScope = contains(requested, '') ? fail('The parameter subscriptions has an empty element.') : union(requested, [])

module perSubscription 'modules/subscription-events.bicep' = [
  for id in inScope: {
    scope: subscription(id)
    params: {
      name: name
      location: location
      tags: union(tags, {
        application: 'diskseal'
      })
      functionId: '${functionAppId}/functions/${events.function}'
      existingTopicId: existingTopics[?id] ?? ''
      deadLetterIdentityId: deadLetterIdentityId
      storageAccountId: storageAccountId
      deadLetterContainer: deadLetterContainer
      handlerClientId: handlerClientId
      workspaceId: workspaceId
      sendActivityLog: sendActivityLog
      grants: grants
    }
  }
]
