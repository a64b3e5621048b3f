// The safety net: Azure Policy on one subscription.
// The built-in policy sets the auth mode of disks inside the create request, and of existing disks by a remediation
// task. It does not cover snapshots. The custom policy for snapshots audits by default, because Microsoft does not
// document whether their alias is modifiable; if it is, Modify does for snapshots what the built-in policy does for
// disks.

targetScope = 'subscription'

param name string
param location string
param mode string
param backupGuard string
param assignDiskPolicy bool

@description('Off, Audit or Modify.')
param snapshotPolicy string

var builtIn = loadJsonContent('../role-actions.json').builtIn
var diskPolicyId = tenantResourceId('Microsoft.Authorization/policyDefinitions', 'c3921d55-b741-4d16-8d56-7f16e99e6892')
var alias = 'Microsoft.Compute/snapshots/dataAccessAuthMode'
// The policies' identities need it to write disks: the built-in definition requires Contributor.
var contributorOfTenant = tenantResourceId('Microsoft.Authorization/roleDefinitions', builtIn.contributor)
// A policy knows neither the mode nor the exemptions of the handler, so it acts only where the handler would.
var enforcementMode = mode == 'enforce' ? 'Default' : 'DoNotEnforce'
// Nor does it see what vaults protect, so existing disks are left to the handler unless its guard is off.
var isRemediated = mode == 'enforce' && backupGuard == 'off'

resource disks 'Microsoft.Authorization/policyAssignments@2021-06-01' = if (assignDiskPolicy) {
  name: '${name}-disks'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Diskseal: set the auth mode of disks inside the create request'
    policyDefinitionId: diskPolicyId
    enforcementMode: enforcementMode
    parameters: {
      effect: {
        value: 'Modify'
      }
    }
  }
}

// The identity is part of the assignment's name: an assignment that was made anew has another one.
module disksRole 'role-assignment.bicep' = if (assignDiskPolicy) {
  params: {
    roleDefinitionName: builtIn.contributor
    principalId: assignDiskPolicy ? disks!.identity.principalId : ''
  }
}

// Made once, because what a second one of the same name does is not documented.
@onlyIfNotExists()
resource disksRemediation 'Microsoft.PolicyInsights/remediations@2021-10-01' = if (assignDiskPolicy && isRemediated) {
  name: '${name}-disks'
  dependsOn: [
    disksRole
  ]
  properties: {
    policyAssignmentId: disks.id
    // Right after the assignment no resource is known to be non-compliant.
    resourceDiscoveryMode: 'ReEvaluateCompliance'
  }
}

resource snapshotDefinition 'Microsoft.Authorization/policyDefinitions@2021-06-01' = if (snapshotPolicy != 'Off') {
  name: '${name}-snapshots'
  properties: {
    displayName: 'Snapshots should require Microsoft Entra ID for export'
    description: 'Anyone with the SAS URL can download a snapshot whose dataAccessAuthMode is not AzureActiveDirectory.'
    policyType: 'Custom'
    mode: 'Indexed'
    metadata: {
      category: 'Compute'
      version: '1.0.0'
    }
    policyRule: {
      if: {
        allOf: [
          {
            field: 'type'
            equals: 'Microsoft.Compute/snapshots'
          }
          {
            field: alias
            notEquals: 'AzureActiveDirectory'
          }
        ]
      }
      then: snapshotPolicy != 'Modify'
        ? {
            effect: 'Audit'
          }
        : {
            effect: 'Modify'
            details: {
              roleDefinitionIds: [
                contributorOfTenant
              ]
              conflictEffect: 'audit'
              operations: [
                {
                  operation: 'addOrReplace'
                  field: alias
                  value: 'AzureActiveDirectory'
                }
              ]
            }
          }
    }
  }
}

resource snapshots 'Microsoft.Authorization/policyAssignments@2021-06-01' = if (snapshotPolicy != 'Off') {
  name: '${name}-snapshots'
  location: location
  identity: {
    type: snapshotPolicy == 'Modify' ? 'SystemAssigned' : 'None'
  }
  properties: {
    displayName: 'Diskseal: snapshots'
    policyDefinitionId: snapshotDefinition.id
    // The effect Audit only reports.
    enforcementMode: snapshotPolicy == 'Modify' ? enforcementMode : 'Default'
  }
}

// The identity is part of the assignment's name: an assignment that was made anew has another one.
module snapshotsRole 'role-assignment.bicep' = if (snapshotPolicy == 'Modify') {
  params: {
    roleDefinitionName: builtIn.contributor
    principalId: snapshotPolicy == 'Modify' ? snapshots!.identity.principalId : ''
  }
}

// Made once, because what a second one of the same name does is not documented.
@onlyIfNotExists()
resource snapshotsRemediation 'Microsoft.PolicyInsights/remediations@2021-10-01' = if (snapshotPolicy == 'Modify' && isRemediated) {
  name: '${name}-snapshots'
  dependsOn: [
    snapshotsRole
  ]
  properties: {
    policyAssignmentId: snapshots.id
    // Right after the assignment no resource is known to be non-compliant.
    resourceDiscoveryMode: 'ReEvaluateCompliance'
  }
}
