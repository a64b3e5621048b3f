// Role assignments, on one subscription, of the principals that may still export sealed disks.

targetScope = 'subscription'

@description('Principals, by their object IDs.')
param exporters {
  id: string
  type: 'Group' | 'ServicePrincipal' | 'User'
}[]

@description('ID of the custom role. Empty assigns Data Operator for Managed Disks.')
param roleDefinitionName string

var builtIn = loadJsonContent('../role-actions.json').builtIn.dataOperatorForManagedDisks
var definition = empty(roleDefinitionName) ? builtIn : roleDefinitionName

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for exporter in exporters: {
    name: guid(subscription().id, exporter.id, definition)
    properties: {
      principalId: exporter.id
      principalType: exporter.type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', definition)
    }
  }
]
