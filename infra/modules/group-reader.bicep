// Reader for the handler on its own resource group, whose tag diskseal=off is the switch: the handler's custom role
// holds in the subscriptions in scope only, and this group need not be in one of them.

param principalId string

var reader = loadJsonContent('../role-actions.json').builtIn.reader

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, principalId, reader)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', reader)
  }
}
