// A custom role with the four data actions of disks and snapshots, which does not change when Microsoft changes the
// built-in role.

targetScope = 'subscription'

param name string

@description('ID of the subscription of the installation. The ID of the role follows from it, so that the role stays the same one when the scope changes.')
param installation string

param subscriptions string[]

var role = loadJsonContent('../role-actions.json').exporter

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(installation, name, role.roleName)
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
