// The event subscription for writes of disks, snapshots and machines. Event Grid refuses it until the function exists,
// so it is deployed after the code.

param name string
param topicName string
param functionId string
param deadLetterIdentityId string
param storageAccountId string
param deadLetterContainer string

@description('Client ID of the handler, whose own writes are not delivered.')
param handlerClientId string

@description('Deliver grants of access to disks and snapshots as well.')
param grants bool

var listed = loadJsonContent('../events.json')
var events = union(
  listed,
  grants
    ? {
        eventTypes: concat(listed.eventTypes, listed.grants.eventTypes)
        operations: concat(listed.operations, listed.grants.operations)
      }
    : {}
)

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' existing = {
  name: topicName
}

resource writes 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = {
  parent: topic
  name: name
  properties: {
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: functionId
        // One event per invocation: in a batch, one failure makes Event Grid deliver all events again.
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: events.eventTypes
      enableAdvancedFilteringOnArrays: true
      advancedFilters: [
        {
          operatorType: 'StringIn'
          key: 'data.operationName'
          values: events.operations
        }
        // Each seal is a write too. The handler would ignore its event, and Azure would bill it.
        {
          operatorType: 'StringNotIn'
          key: 'data.claims.appid'
          values: [
            handlerClientId
          ]
        }
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: events.maxDeliveryAttempts
      eventTimeToLiveInMinutes: events.eventTimeToLiveInMinutes
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'UserAssigned'
        userAssignedIdentity: deadLetterIdentityId
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: storageAccountId
          blobContainerName: deadLetterContainer
        }
      }
    }
  }
}
