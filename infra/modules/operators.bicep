// What the people on call need to follow docs/runbook.md: dead letters, the queues and the workspace. Owner and
// Contributor do not include the data of a storage account.

param storageAccountName string

@description('Empty where the workspace belongs to somebody else, who says who may read it.')
param workspaceName string

@description('Principals as {id, type}; type is User, Group or ServicePrincipal.')
param operators {
  id: string
  type: 'Group' | 'ServicePrincipal' | 'User'
}[]

var roles = loadJsonContent('../role-actions.json').builtIn
var names = loadJsonContent('../events.json')

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' existing = {
  parent: account
  name: 'default'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  parent: blobs
  name: names.deadLetterContainer
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' existing = {
  name: empty(workspaceName) ? 'none' : workspaceName
}

// To read and delete dead letters, but neither the package nor the host's keys in the other containers.
resource blobRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for operator in operators: {
    name: guid(deadLetters.id, operator.id, roles.storageBlobDataContributor)
    scope: deadLetters
    properties: {
      principalId: operator.id
      principalType: operator.type
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.storageBlobDataContributor
      )
    }
  }
]

// To peek at both queues and to clear the poison queue.
resource queueRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for operator in operators: {
    name: guid(account.id, operator.id, roles.storageQueueDataContributor)
    scope: account
    properties: {
      principalId: operator.id
      principalType: operator.type
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.storageQueueDataContributor
      )
    }
  }
]

resource logRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for operator in (empty(workspaceName) ? [] : operators): {
    name: guid(workspace.id, operator.id, roles.logAnalyticsReader)
    scope: workspace
    properties: {
      principalId: operator.id
      principalType: operator.type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.logAnalyticsReader)
    }
  }
]
