// The function app on Flex Consumption, with the custom handler's runtime and no secret in its settings.

param name string
param planName string
param location string
param tags { *: string }
param identityId string
param identityClientId string
param storageAccountName string
param blobEndpoint string
param queueEndpoint string
param tableEndpoint string
param deploymentContainer string

@description('Not a credential, as ingestion requires an Entra token; secure keeps it out of the deployment history.')
@secure()
param connectionString string

@description('Subnet of the app. Empty without a virtual network.')
param subnetId string

param alwaysReady int
param instanceMemory int
param maximumInstances int
param mode string
param sweepSchedule string
param backupGuard string
param grants bool
param revoke bool

@description('The container for evidence. Empty without one.')
param evidence string

@description('IDs of the subscriptions in scope, comma-separated. Empty with a management group.')
param subscriptions string

@description('Management group in scope, including new subscriptions. Empty with subscriptions.')
param managementGroup string

param otlp {
  traces: string?
  metrics: string?
  logs: string?
  dataCollectionRuleId: string?
}
param extraSettings { *: string }

// DISKSEAL_CLOUD takes the cloud names of the Azure SDK.
var clouds = {
  AzureCloud: 'AzurePublic'
  AzureUSGovernment: 'AzureUSGovernment'
  AzureChinaCloud: 'AzureChina'
}

var settings = union(
  {
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    AzureWebJobsStorage__blobServiceUri: blobEndpoint
    AzureWebJobsStorage__queueServiceUri: queueEndpoint
    AzureWebJobsStorage__tableServiceUri: tableEndpoint
    APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    AZURE_CLIENT_ID: identityClientId
    DISKSEAL_CLOUD: clouds[environment().name]
    DISKSEAL_MODE: mode
    DISKSEAL_BACKUP_GUARD: backupGuard
    DISKSEAL_SWEEP_SCHEDULE: sweepSchedule
    // The tag diskseal=off on the resource group stops every write.
    DISKSEAL_SWITCH: resourceGroup().id
  },
  // The host cannot make its keys from the addresses alone (Azure/azure-functions-host#11787), and makes addresses of
  // the public cloud from the name.
  environment().name != 'AzureCloud'
    ? {}
    : {
        AzureWebJobsStorage__accountName: storageAccountName
      },
  empty(subscriptions)
    ? {}
    : {
        DISKSEAL_SUBSCRIPTIONS: subscriptions
      },
  empty(managementGroup)
    ? {}
    : {
        DISKSEAL_MANAGEMENT_GROUP: managementGroup
      },
  empty(evidence)
    ? {}
    : {
        DISKSEAL_EVIDENCE: evidence
      },
  !grants
    ? {}
    : {
        DISKSEAL_GRANTS: 'on'
      },
  !revoke
    ? {}
    : {
        DISKSEAL_REVOKE: 'on'
      },
  empty(otlp.?traces)
    ? {}
    : {
        DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT: otlp.?traces
      },
  empty(otlp.?metrics)
    ? {}
    : {
        DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT: otlp.?metrics
      },
  empty(otlp.?logs)
    ? {}
    : {
        DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT: otlp.?logs
      },
  extraSettings
)

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_211: Flex Consumption scales automatically; it has only one SKU
  // checkov:skip=CKV_AZURE_212: the same
  // checkov:skip=CKV_AZURE_225: if a zone fails, Event Grid delivers its events again, and the sweep finds the rest
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_13: no function has an HTTP trigger; the host checks Event Grid's key
  // checkov:skip=CKV_AZURE_17: Event Grid presents no client certificate
  // checkov:skip=CKV_AZURE_78: Flex Consumption has no FTP, and refuses the property
  // checkov:skip=CKV_AZURE_88: the app uses no file share
  // checkov:skip=CKV_AZURE_212: Flex Consumption scales automatically, down to zero
  // checkov:skip=CKV_AZURE_213: no function has an HTTP trigger to probe; the host monitors its handler
  // checkov:skip=CKV_AZURE_222: Event Grid delivers to the public endpoint, with a key that the host checks
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    keyVaultReferenceIdentity: identityId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemory
        maximumInstanceCount: maximumInstances
        // Event Grid functions scale with the HTTP functions.
        alwaysReady: alwaysReady == 0
          ? []
          : [
              {
                name: 'http'
                instanceCount: alwaysReady
              }
            ]
        // The default for the smallest instances is a few, and then a burst of events starts many of them. Each would
        // spend its own share of the requests that Resource Manager allows in a subscription.
        triggers: {
          http: {
            perInstanceConcurrency: 100
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      remoteDebuggingEnabled: false
      appSettings: [
        for setting in items(settings): {
          name: setting.key
          value: setting.value
        }
      ]
    }
  }
}

// Code is deployed with an Entra token, without publishing passwords.
resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output appId string = app.id
output appName string = app.name
