// The exemption of a resource group from the policies of its subscription, until a day and for a reason, as the handler's
// own exemptions are.

param name string
param until string
param reason string
param assignDiskPolicy bool
param snapshotPolicy string

// A policy exempts until a moment, and the handler until the end of a day in UTC.
var expiresOn = '${until}T23:59:59Z'

resource disks 'Microsoft.Authorization/policyExemptions@2020-07-01-preview' = if (assignDiskPolicy) {
  name: '${name}-disks'
  properties: {
    policyAssignmentId: subscriptionResourceId('Microsoft.Authorization/policyAssignments', '${name}-disks')
    exemptionCategory: 'Waiver'
    expiresOn: expiresOn
    displayName: 'Diskseal: disks of ${resourceGroup().name}'
    description: reason
  }
}

resource snapshots 'Microsoft.Authorization/policyExemptions@2020-07-01-preview' = if (snapshotPolicy != 'Off') {
  name: '${name}-snapshots'
  properties: {
    policyAssignmentId: subscriptionResourceId('Microsoft.Authorization/policyAssignments', '${name}-snapshots')
    exemptionCategory: 'Waiver'
    expiresOn: expiresOn
    displayName: 'Diskseal: snapshots of ${resourceGroup().name}'
    description: reason
  }
}
