// The handler's custom role at a management group, which also covers new subscriptions.

targetScope = 'managementGroup'

param name string
param principalId string
param includeBackupGuard bool
param includeRevoke bool = false

var role = loadJsonContent('role-actions.json')
var scopeId = managementGroup().id
var actions = concat(role.actions, role.optional.managementGroup)

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(scopeId, name, role.roleName)
  properties: {
    // Role names are unique within a tenant, and the role of the same installation on subscriptions may still exist.
    roleName: '${role.roleName} (${name}, ${managementGroup().name})'
    description: role.description
    type: 'CustomRole'
    permissions: [
      {
        actions: concat(
          actions,
          includeBackupGuard ? role.optional.backupGuard : [],
          includeRevoke ? role.optional.revoke : []
        )
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [
      scopeId
    ]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(scopeId, principalId, role.roleName)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: definition.id
  }
}
