// Optional: a policy that makes topic and event subscription in new subscriptions of a management group. Its identity
// gets Contributor on the group, below which the installation must be.

targetScope = 'managementGroup'

param name string = 'diskseal'
param location string = deployment().location

@description('ID of the function app.')
param functionAppId string

@description('ID of the identity that writes dead letters.')
param deadLetterIdentityId string

param storageAccountId string

@description('Client ID of the handler, whose own writes are not delivered.')
param handlerClientId string

@description('Deliver grants of access to disks and snapshots as well, as the installation does.')
param grants bool = false

@description('Subscriptions to leave out, as IDs that begin with /subscriptions/: those that have a system topic of their own.')
param exceptions string[] = []

var listed = loadJsonContent('events.json')
var events = union(
  listed,
  grants
    ? {
        eventTypes: concat(listed.eventTypes, listed.grants.eventTypes)
        operations: concat(listed.operations, listed.grants.operations)
      }
    : {}
)
var contributor = loadJsonContent('role-actions.json').builtIn.contributor
var contributorId = tenantResourceId('Microsoft.Authorization/roleDefinitions', contributor)
var template = loadJsonContent('new-subscriptions.json')

resource definition 'Microsoft.Authorization/policyDefinitions@2021-06-01' = {
  name: '${name}-events'
  properties: {
    displayName: 'Diskseal: deliver the writes of new subscriptions'
    description: 'Makes the system topic of the subscription and the event subscription of Diskseal.'
    policyType: 'Custom'
    mode: 'All'
    metadata: {
      category: 'Compute'
      version: '1.0.0'
    }
    policyRule: {
      if: {
        field: 'type'
        equals: 'Microsoft.Resources/subscriptions'
      }
      then: {
        effect: 'DeployIfNotExists'
        details: {
          type: 'Microsoft.EventGrid/systemTopics'
          existenceScope: 'subscription'
          deploymentScope: 'subscription'
          existenceCondition: {
            field: 'name'
            equals: 'topic-${name}'
          }
          roleDefinitionIds: [
            contributorId
          ]
          deployment: {
            location: location
            properties: {
              mode: 'Incremental'
              template: template
              parameters: {
                name: {
                  value: name
                }
                location: {
                  value: location
                }
                functionId: {
                  value: '${functionAppId}/functions/${events.function}'
                }
                deadLetterIdentityId: {
                  value: deadLetterIdentityId
                }
                storageAccountId: {
                  value: storageAccountId
                }
                handlerClientId: {
                  value: handlerClientId
                }
                events: {
                  value: events
                }
              }
            }
          }
        }
      }
    }
  }
}

resource assignment 'Microsoft.Authorization/policyAssignments@2021-06-01' = {
  name: '${name}-events'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Diskseal: events of new subscriptions'
    policyDefinitionId: definition.id
    enforcementMode: 'Default'
    notScopes: exceptions
  }
}

module role 'modules/management-group-role.bicep' = {
  params: {
    roleDefinitionId: contributorId
    principalId: assignment.identity.principalId
  }
}
