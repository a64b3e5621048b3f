// An example: a Logic App that takes the outcomes from the queue diskseal-outcomes and mails each to the owner of its
// resource. It belongs to no installation: az deployment group create -g rg-diskseal -f infra/examples/outcome-mail.bicep
// -p storageAccountName=ACCOUNT fallback=ADDRESS. Somebody then signs in to the mail connection once, in the portal.

param location string = resourceGroup().location
param name string = 'logic-diskseal-outcomes'

@description('The storage account of the installation.')
param storageAccountName string

@description('Address for outcomes of resources without an owner, or whose tag owner is no address.')
param fallback string

var queue = 'diskseal-outcomes'
// Receives and deletes messages: Storage Queue Data Message Processor.
var processor = '8a0f0c08-91a1-4084-bc3d-661d67233fed'
var text = 'triggerBody()?[\'MessageText\']'
var event = 'body(\'event\')'

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource queues 'Microsoft.Web/connections@2016-06-01' = {
  name: '${name}-queues'
  location: location
  properties: {
    displayName: 'Queues of Diskseal'
    api: {
      id: subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'azurequeues')
    }
    // By the Logic App's identity: no key.
    parameterValueSet: {
      name: 'managedIdentityAuth'
      values: {}
    }
  }
}

resource mail 'Microsoft.Web/connections@2016-06-01' = {
  name: '${name}-mail'
  location: location
  properties: {
    displayName: 'Mail of Diskseal'
    api: {
      id: subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'office365')
    }
  }
}

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: name
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    state: 'Enabled'
    parameters: {
      '$connections': {
        value: {
          azurequeues: {
            id: subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'azurequeues')
            connectionId: queues.id
            connectionName: queues.name
            connectionProperties: {
              authentication: {
                type: 'ManagedServiceIdentity'
              }
            }
          }
          office365: {
            id: subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'office365')
            connectionId: mail.id
            connectionName: mail.name
          }
        }
      }
    }
    definition: {
      '$schema': 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#'
      contentVersion: '1.0.0.0'
      parameters: {
        '$connections': {
          type: 'Object'
          defaultValue: {}
        }
      }
      triggers: {
        outcome: {
          type: 'ApiConnection'
          recurrence: {
            frequency: 'Minute'
            interval: 5
          }
          splitOn: '@triggerBody()?[\'QueueMessagesList\']?[\'QueueMessage\']'
          inputs: {
            host: {
              connection: {
                name: '@parameters(\'$connections\')[\'azurequeues\'][\'connectionId\']'
              }
            }
            method: 'get'
            path: '/v2/storageAccounts/@{encodeURIComponent(encodeURIComponent(\'${account.name}\'))}/queues/@{encodeURIComponent(\'${queue}\')}/message_trigger'
          }
        }
      }
      actions: {
        // The message is base64; a connection may have decoded it.
        event: {
          type: 'ParseJson'
          runAfter: {}
          inputs: {
            content: '@json(if(startsWith(${text}, \'{\'), ${text}, base64ToString(${text})))'
            schema: {
              type: 'object'
            }
          }
        }
        send: {
          type: 'ApiConnection'
          runAfter: {
            event: [
              'Succeeded'
            ]
          }
          inputs: {
            host: {
              connection: {
                name: '@parameters(\'$connections\')[\'office365\'][\'connectionId\']'
              }
            }
            method: 'post'
            path: '/v2/Mail'
            body: {
              To: '@if(contains(coalesce(${event}?[\'data\']?[\'owner\'], \'\'), \'@\'), ${event}?[\'data\']?[\'owner\'], \'${fallback}\')'
              Subject: 'Diskseal: @{${event}?[\'type\']}'
              Body: '<p>@{${event}?[\'subject\']}</p><p>@{${event}?[\'data\']?[\'message\']}</p>'
            }
          }
        }
        // Only then: a message that could not be sent comes again.
        delete: {
          type: 'ApiConnection'
          runAfter: {
            send: [
              'Succeeded'
            ]
          }
          inputs: {
            host: {
              connection: {
                name: '@parameters(\'$connections\')[\'azurequeues\'][\'connectionId\']'
              }
            }
            method: 'delete'
            path: '/v2/storageAccounts/@{encodeURIComponent(encodeURIComponent(\'${account.name}\'))}/queues/@{encodeURIComponent(\'${queue}\')}/messages/@{encodeURIComponent(triggerBody()?[\'MessageId\'])}'
            queries: {
              popreceipt: '@triggerBody()?[\'PopReceipt\']'
            }
          }
        }
      }
    }
  }
}

resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, workflow.id, processor)
  scope: account
  properties: {
    principalId: workflow.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', processor)
  }
}
