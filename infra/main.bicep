// All resources except the event subscriptions, which need the function to exist: infra/deploy.sh deploys this, then
// the code, then events.bicep. It can be deployed alone: az deployment sub create -l LOCATION -f infra/main.bicep

targetScope = 'subscription'

@description('Name of this installation. Two installations in one tenant need two names.')
@minLength(3)
@maxLength(20)
param name string = 'diskseal'

@description('Region of all resources.')
param location string

@description('IDs of the subscriptions in scope, comma-separated. Default: the subscription of the deployment.')
param subscriptions string = ''

@description('Management group in scope, instead of subscriptions. infra/deploy.sh assigns the role on it.')
param managementGroup string = ''

@description('enforce seals. audit reports what it would seal and writes nothing.')
@allowed([
  'audit'
  'enforce'
])
param mode string = 'audit'

@description('Schedule of the sweep, as an NCRONTAB expression with six fields.')
param sweepSchedule string = '0 17 * * * *'

@description('What to do about disks and snapshots that Azure Backup or Azure Site Recovery protects. Unless it is off, the role can read the protected items of vaults.')
@allowed([
  'skip'
  'warn'
  'off'
])
param backupGuard string = 'skip'

@description('Additional app settings of Diskseal, such as DISKSEAL_EXEMPT_TAG.')
param extraSettings object = {}

@description('Number of always-ready instances for events: 0 or 1.')
@minValue(0)
@maxValue(1)
param alwaysReady int = 0

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemory int = 512

@description('Maximum number of instances. Flex Consumption requires at least 40.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Restrict storage to a virtual network and private endpoints.')
param privateNetwork bool = false

@description('Email addresses for alerts, comma-separated.')
param alertEmails string = ''

@description('Retention of logs in days.')
@minValue(30)
@maxValue(730)
param logRetention int = 30

@description('URLs of Azure Monitor OTLP ingestion (preview) for traces, metrics and logs, and the ID of the data collection rule. Empty turns it off.')
param otlp object = {
  traces: ''
  metrics: ''
  logs: ''
  dataCollectionRuleId: ''
}

@description('Assign the built-in policy that sets the auth mode of disks inside the create request.')
param assignDiskPolicy bool = false

@description('Custom policy for snapshots, which the built-in policy does not cover: Off, Audit, or Modify if the alias is modifiable.')
@allowed([
  'Off'
  'Audit'
  'Modify'
])
param snapshotPolicy string = 'Off'

@description('Principals that may still export: object IDs of users, groups or service principals, as {id, type}.')
param exporters array = []

@description('Role of the exporters: the built-in Data Operator for Managed Disks (true) or a custom role with the same four data actions (false).')
param exportersHaveBuiltInRole bool = true

@description('Tags for all resources.')
param tags object = {}

var resourceGroupName = 'rg-${name}'
var here = subscription().subscriptionId
var inScope = empty(subscriptions) ? [
  here
] : split(replace(subscriptions, ' ', ''), ',')
var token = uniqueString(here, resourceGroupName, name)
var allTags = union(tags, {
  application: 'diskseal'
})

resource group 'Microsoft.Resources/resourceGroups@2025-03-01' = {
  name: resourceGroupName
  location: location
  tags: allTags
}

module identities 'modules/identities.bicep' = {
  name: '${name}-identities'
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: '${name}-network'
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
  }
}

module storage 'modules/storage.bicep' = {
  name: '${name}-storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: allTags
    isPrivate: privateNetwork
    hostPrincipalId: identities.outputs.hostPrincipalId
    deadLetterPrincipalId: identities.outputs.deadLetterPrincipalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: '${name}-private-endpoints'
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    storageAccountId: storage.outputs.accountId
    virtualNetworkId: privateNetwork ? network!.outputs.virtualNetworkId : ''
    subnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: '${name}-monitoring'
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    retention: logRetention
    hostPrincipalId: identities.outputs.hostPrincipalId
    emails: empty(alertEmails) ? [] : split(replace(alertEmails, ' ', ''), ',')
  }
}

module alerts 'modules/alerts.bicep' = {
  name: '${name}-alerts'
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    actionGroupId: monitoring.outputs.actionGroupId
  }
}

module function 'modules/function.bicep' = {
  name: '${name}-function'
  scope: group
  // The host reads its package and takes its locks as soon as it starts.
  dependsOn: [
    endpoints
  ]
  params: {
    name: 'func-${name}-${token}'
    planName: 'plan-${name}'
    location: location
    tags: allTags
    identityId: identities.outputs.hostId
    identityClientId: identities.outputs.hostClientId
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    deploymentContainer: storage.outputs.deploymentContainer
    connectionString: monitoring.outputs.connectionString
    subnetId: privateNetwork ? network!.outputs.functionSubnetId : ''
    alwaysReady: alwaysReady
    instanceMemory: instanceMemory
    maximumInstances: maximumInstances
    mode: mode
    sweepSchedule: sweepSchedule
    backupGuard: backupGuard
    subscriptions: empty(managementGroup) ? join(inScope, ',') : ''
    managementGroup: managementGroup
    otlp: otlp
    extraSettings: extraSettings
  }
}

module role 'modules/role-definition.bicep' = if (empty(managementGroup)) {
  name: '${name}-role'
  params: {
    name: name
    subscriptions: inScope
    includeBackupGuard: backupGuard != 'off'
  }
}

module assignments 'modules/role-assignment.bicep' = [for id in (empty(managementGroup) ? inScope : []): {
  name: '${name}-role-assignment'
  scope: subscription(id)
  params: {
    roleDefinitionName: empty(managementGroup) ? role!.outputs.definitionName : ''
    principalId: identities.outputs.hostPrincipalId
  }
}]

module otlpRole 'modules/otlp-role.bicep' = if (!empty(otlp.dataCollectionRuleId)) {
  name: '${name}-otlp-role'
  scope: resourceGroup(empty(otlp.dataCollectionRuleId) ? here : split(otlp.dataCollectionRuleId, '/')[2], empty(otlp.dataCollectionRuleId) ? resourceGroupName : split(otlp.dataCollectionRuleId, '/')[4])
  params: {
    ruleName: last(split(otlp.dataCollectionRuleId, '/'))
    principalId: identities.outputs.hostPrincipalId
  }
}

module policies 'modules/policy.bicep' = [for id in inScope: if (assignDiskPolicy || snapshotPolicy != 'Off') {
  name: '${name}-policy'
  scope: subscription(id)
  params: {
    name: name
    location: location
    assignDiskPolicy: assignDiskPolicy
    snapshotPolicy: snapshotPolicy
  }
}]

module exporterRole 'modules/exporter-role.bicep' = if (!empty(exporters) && !exportersHaveBuiltInRole) {
  name: '${name}-exporter-role'
  params: {
    name: name
    subscriptions: inScope
  }
}

module exporterAssignments 'modules/exporter-assignments.bicep' = [for id in inScope: if (!empty(exporters)) {
  name: '${name}-exporters'
  scope: subscription(id)
  params: {
    exporters: exporters
    roleDefinitionName: !empty(exporters) && !exportersHaveBuiltInRole ? exporterRole!.outputs.definitionName : ''
  }
}]

@description('Values that infra/deploy.sh and events.bicep need.')
output resourceGroupName string = group.name
output functionAppName string = function.outputs.appName
output functionAppId string = function.outputs.appId
output storageAccountId string = storage.outputs.accountId
output deadLetterContainer string = storage.outputs.deadLetterContainer
output deadLetterIdentityId string = identities.outputs.deadLetterId
output hostPrincipalId string = identities.outputs.hostPrincipalId
output hostClientId string = identities.outputs.hostClientId
output workspaceId string = monitoring.outputs.workspaceId
output actionGroupId string = monitoring.outputs.actionGroupId
output subscriptions array = inScope
