// The event subscription for writes of disks, snapshots and machines. Event Grid refuses it until the function exists,
// so it is deployed after the code.

param name string
param topicName string
param functionId string
param deadLetterIdentityId string
param storageAccountId string
param deadLetterContainer string

var events = loadJsonContent('../events.json')

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
