// A custom role with the four data actions of disks and snapshots, which does not change when Microsoft changes the
// built-in role.

targetScope = 'subscription'

param name string
param subscriptions array

var role = loadJsonContent('../role-actions.json').exporter

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, name, role.roleName)
  properties: {
    roleName: '${role.roleName} (${name})'
    description: role.description
    type: 'CustomRole'
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: role.dataActions
        notDataActions: []
      }
    ]
    assignableScopes: [for id in subscriptions: '/subscriptions/${id}']
  }
}

output definitionName string = definition.name
