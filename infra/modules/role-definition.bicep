// The handler's custom role, defined once for all subscriptions in scope.

targetScope = 'subscription'

param name string

@description('ID of the subscription of the installation. The ID of the role follows from it, so that the role stays the same one when the scope changes.')
param installation string

param subscriptions string[]
param includeBackupGuard bool
param includeRevoke bool

var role = loadJsonContent('../role-actions.json')

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(installation, name, role.roleName)
  properties: {
    // Role names are unique within a tenant.
    roleName: '${role.roleName} (${name})'
    description: role.description
    type: 'CustomRole'
    permissions: [
      {
        actions: concat(
          role.actions,
          includeBackupGuard ? role.optional.backupGuard : [],
          includeRevoke ? role.optional.revoke : []
        )
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [for id in subscriptions: '/subscriptions/${id}']
  }
}

output definitionName string = definition.name
