// All resources. With packageUri, the code and the event subscriptions too: az deployment sub create -l LOCATION
// -f infra/main.bicep -p packageUri=ADDRESS alertEmails=ADDRESSES. Without it they follow by infra/deploy.sh, because Event Grid refuses an
// event subscription whose function does not exist.

targetScope = 'subscription'

@description('Name of this installation. Two installations in one tenant need two names.')
@minLength(3)
@maxLength(20)
param name string = 'diskseal'

@description('Region of all resources.')
param location string = deployment().location

@description('IDs of the subscriptions in scope, comma-separated. Default: the subscription of the deployment. An empty element is refused, and one that occurs twice counts once.')
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
  'network'
  'warn'
  'off'
])
param backupGuard string = 'skip'

@description('Look at a disk or snapshot when access to its data is granted by a SAS URL. Adds an event type and two operations to the event subscriptions.')
param grants bool = false

@description('Revoke the SAS URLs that were granted before the seal. Adds two actions to the role.')
param revoke bool = false

@description('Additional app settings of Diskseal, such as DISKSEAL_EXEMPT_TAG.')
param extraSettings { *: string } = {}

@description('Days for which nobody can change or delete a file of evidence, in a container of this installation. 0 makes none.')
@minValue(0)
@maxValue(146000)
param evidenceDays int = 0

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

@description('Maximum number of instances. One instance serves up to 100 events at a time, and all of them share the requests that Resource Manager allows an identity in a subscription.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 10

@description('Restrict storage to a virtual network and private endpoints.')
param privateNetwork bool = false

@description('With privateNetwork: the address space of the network that is made, /26 or larger.')
param networkPrefix string = '10.77.0.0/24'

@description('With privateNetwork: an existing subnet for the app, delegated to Microsoft.App/environments. Empty makes a network with both subnets.')
param functionSubnetId string = ''

@description('With functionSubnetId: an existing subnet for the private endpoints, whose names resolve without zones of this deployment.')
param endpointSubnetId string = ''

@description('Email addresses for alerts, comma-separated. Required: none if nobody is to get mail.')
param alertEmails string

@description('Address of docs/runbook.md, for the links in alerts.')
param runbook string = 'docs/runbook.md'

@description('People on call, as {id, type}: they may read and delete dead letters, read and clear the queues, and query the workspace of this deployment.')
param operators {
  id: string
  type: 'Group' | 'ServicePrincipal' | 'User'
}[] = []

@description('Make the data collection endpoint and rule of Azure Monitor OTLP ingestion (preview) and send traces, metrics and logs there, unless otlp names others. false where the region or cloud does not have it.')
param ingestion bool = true

@description('Existing Log Analytics workspace for telemetry and alerts, in the region of the installation. Empty makes one. Who may read an existing one, and for how long it keeps logs, is for its owner to say.')
param existingWorkspaceId string = ''

@description('Retention of logs in days, of a workspace that this deployment makes.')
@minValue(30)
@maxValue(730)
param logRetention int = 30

@description('URLs of Azure Monitor OTLP ingestion (preview) for traces, metrics and logs, and the ID of the data collection rule. They replace those of this installation; a signal without a URL is off then.')
param otlp {
  traces: string?
  metrics: string?
  logs: string?
  dataCollectionRuleId: string?
} = {}

@description('Assign the built-in policy that sets the auth mode of disks inside the create request. It acts with mode=enforce only, and on existing disks only with backupGuard=off as well, because a policy cannot see vaults.')
param assignDiskPolicy bool = false

@description('Custom policy for snapshots, which the built-in policy does not cover: Off, Audit, or Modify if the alias is modifiable. Modify acts under the same conditions as the policy for disks.')
@allowed([
  'Off'
  'Audit'
  'Modify'
])
param snapshotPolicy string = 'Off'

@description('Exemptions from these policies, which do not know those of the handler: each is a resource group of a subscription in scope, its last day (UTC, such as 2027-01-31) and the reason.')
param policyExemptions {
  subscription: string
  resourceGroup: string
  until: string
  reason: string
}[] = []

@description('Principals that may still export: object IDs of users, groups or service principals, as {id, type}.')
param exporters {
  id: string
  type: 'Group' | 'ServicePrincipal' | 'User'
}[] = []

@description('Role of the exporters: the built-in Data Operator for Managed Disks (true) or a custom role with the same four data actions (false).')
param exportersHaveBuiltInRole bool = true

@description('Tags for all resources. The resource group gets them when it is created; afterwards its tags are left alone, because diskseal=off among them is the switch.')
param tags { *: string } = {}

@description('Public HTTPS address of the package, such as that of a release. With it, this deployment also deploys the code and the event subscriptions.')
param packageUri string = ''

@description('Existing system topics, as a map from subscription ID to the resource ID of the topic. Each must have the identity for dead letters.')
param existingTopics { *: string } = {}

@description('Send the activity logs to the workspace. An alert uses them to find writes without an event.')
param sendActivityLog bool = true

var resourceGroupName = 'rg-${name}'
var here = subscription().subscriptionId
var requested = split(toLower(replace(subscriptions, ' ', '')), ',')
var inScope = empty(subscriptions)
  ? [
      here
    ]
  : contains(requested, '') ? fail('The parameter subscriptions has an empty element.') : union(requested, [])
var makesNetwork = privateNetwork && empty(functionSubnetId)
var endpointSubnet = empty(functionSubnetId) || !empty(endpointSubnetId)
  ? endpointSubnetId
  : fail('functionSubnetId needs endpointSubnetId.')
var hasPolicies = assignDiskPolicy || snapshotPolicy != 'Off'
var ruleId = otlp.?dataCollectionRuleId ?? ''
var token = uniqueString(here, resourceGroupName, name)
var recipients = empty(alertEmails)
  ? fail('Nobody would get the alerts: alertEmails is empty. Pass alertEmails=ADDRESS, or alertEmails=none if you read them elsewhere.')
  : alertEmails == 'none' ? [] : split(replace(alertEmails, ' ', ''), ',')
var hasIngestion = ingestion && empty(otlp.?traces) && empty(otlp.?metrics) && empty(otlp.?logs)
var allTags = union(tags, {
  application: 'diskseal'
})

// Made once: a deployment replaces the tags of what it writes, and the tag diskseal=off of this group stops every write
// of the handler.
@onlyIfNotExists()
resource group 'Microsoft.Resources/resourceGroups@2025-03-01' = {
  name: resourceGroupName
  location: location
  tags: allTags
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
  }
}

module groupReader 'modules/group-reader.bicep' = {
  scope: group
  params: {
    principalId: identities.outputs.hostPrincipalId
  }
}

module network 'modules/network.bicep' = if (makesNetwork) {
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    addressPrefix: networkPrefix
  }
}

module storage 'modules/storage.bicep' = {
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

module evidence 'modules/evidence.bicep' = if (evidenceDays > 0) {
  scope: group
  params: {
    name: 'ev${token}'
    location: location
    tags: allTags
    days: evidenceDays
    principalId: identities.outputs.hostPrincipalId
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    storageAccountId: storage.outputs.accountId
    virtualNetworkId: makesNetwork ? network!.outputs.virtualNetworkId : ''
    subnetId: makesNetwork ? network!.outputs.endpointSubnetId : endpointSubnet
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    existingWorkspaceId: existingWorkspaceId
    retention: logRetention
    hostPrincipalId: identities.outputs.hostPrincipalId
    emails: recipients
  }
}

module otlpIngestion 'modules/ingestion.bicep' = if (hasIngestion) {
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    componentId: monitoring.outputs.componentId
    hostPrincipalId: identities.outputs.hostPrincipalId
  }
}

module onCall 'modules/operators.bicep' = if (!empty(operators)) {
  scope: group
  params: {
    operators: operators
    storageAccountName: last(split(storage.outputs.accountId, '/'))
    workspaceName: empty(existingWorkspaceId) ? monitoring.outputs.workspaceName : ''
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    name: name
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    actionGroupId: monitoring.outputs.actionGroupId
    hasTraces: hasIngestion || !empty(otlp.?traces)
    runbook: runbook
    handlerClientId: identities.outputs.hostClientId
  }
}

module function 'modules/function.bicep' = {
  scope: group
  // The host reads its package and takes its locks as soon as it starts.
  dependsOn: [
    endpoints
    groupReader
  ]
  params: {
    name: 'func-${name}-${token}'
    planName: 'plan-${name}'
    location: location
    tags: allTags
    identityId: identities.outputs.hostId
    identityClientId: identities.outputs.hostClientId
    storageAccountName: storage.outputs.accountName
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    deploymentContainer: storage.outputs.deploymentContainer
    connectionString: monitoring.outputs.connectionString
    subnetId: makesNetwork ? network!.outputs.functionSubnetId : (privateNetwork ? functionSubnetId : '')
    alwaysReady: alwaysReady
    instanceMemory: instanceMemory
    maximumInstances: maximumInstances
    mode: mode
    sweepSchedule: sweepSchedule
    backupGuard: backupGuard
    evidence: evidenceDays > 0 ? evidence!.outputs.container : ''
    grants: grants
    revoke: revoke
    subscriptions: empty(managementGroup) ? join(inScope, ',') : ''
    managementGroup: managementGroup
    otlp: hasIngestion
      ? {
          traces: otlpIngestion!.outputs.traces
          metrics: otlpIngestion!.outputs.metrics
          logs: otlpIngestion!.outputs.logs
        }
      : otlp
    extraSettings: extraSettings
  }
}

module role 'modules/role-definition.bicep' = if (empty(managementGroup)) {
  // Azure takes a definition only in one of the subscriptions that it can be assigned in.
  scope: subscription(inScope[0])
  params: {
    name: name
    installation: subscription().id
    subscriptions: inScope
    includeBackupGuard: backupGuard != 'off'
    includeRevoke: revoke
  }
}

module assignments 'modules/role-assignment.bicep' = [
  for id in (empty(managementGroup) ? inScope : []): {
    scope: subscription(id)
    params: {
      roleDefinitionName: empty(managementGroup) ? role!.outputs.definitionName : ''
      principalId: identities.outputs.hostPrincipalId
    }
  }
]

module otlpRole 'modules/otlp-role.bicep' = if (!empty(ruleId)) {
  scope: resourceGroup(
    empty(ruleId) ? here : split(ruleId, '/')[2],
    empty(ruleId) ? resourceGroupName : split(ruleId, '/')[4]
  )
  params: {
    ruleName: last(split(ruleId, '/'))
    principalId: identities.outputs.hostPrincipalId
  }
}

// A loop ends at 800, so what is not wanted does not loop.
module policies 'modules/policy.bicep' = [
  for id in (hasPolicies ? inScope : []): {
    scope: subscription(id)
    params: {
      name: name
      location: location
      mode: mode
      backupGuard: backupGuard
      assignDiskPolicy: assignDiskPolicy
      snapshotPolicy: snapshotPolicy
    }
  }
]

module policyExemptionsOfGroups 'modules/policy-exemption.bicep' = [
  for one in (hasPolicies ? policyExemptions : []): {
    scope: resourceGroup(one.subscription, one.resourceGroup)
    params: {
      name: name
      until: one.until
      reason: one.reason
      assignDiskPolicy: assignDiskPolicy
      snapshotPolicy: snapshotPolicy
    }
    dependsOn: [
      policies
    ]
  }
]

module exporterRole 'modules/exporter-role.bicep' = if (!empty(exporters) && !exportersHaveBuiltInRole) {
  scope: subscription(inScope[0])
  params: {
    name: name
    installation: subscription().id
    subscriptions: inScope
  }
}

module exporterAssignments 'modules/exporter-assignments.bicep' = [
  for id in (empty(exporters) ? [] : inScope): {
    scope: subscription(id)
    params: {
      exporters: exporters
      roleDefinitionName: !empty(exporters) && !exportersHaveBuiltInRole ? exporterRole!.outputs.definitionName : ''
    }
  }
]

module code 'modules/code.bicep' = if (!empty(packageUri)) {
  scope: group
  params: {
    appName: function.outputs.appName
    packageUri: packageUri
  }
}

module events 'events.bicep' = if (!empty(packageUri)) {
  dependsOn: [
    code
  ]
  params: {
    name: name
    location: location
    subscriptions: join(inScope, ',')
    existingTopics: existingTopics
    functionAppId: function.outputs.appId
    deadLetterIdentityId: identities.outputs.deadLetterId
    storageAccountId: storage.outputs.accountId
    deadLetterContainer: storage.outputs.deadLetterContainer
    handlerClientId: identities.outputs.hostClientId
    workspaceId: monitoring.outputs.workspaceId
    sendActivityLog: sendActivityLog
    grants: grants
    tags: tags
  }
}

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
output telemetry string = hasIngestion || !empty(otlp.?traces)
  ? 'The handler sends traces.'
  : 'The handler sends no traces. Alerts use the logs of the host, Event Grid and the subscriptions; slow and silent are off.'
