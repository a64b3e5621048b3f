// The container for evidence, in an account of its own: the handler may write there, and nowhere else in it.

param name string
param location string
param tags { *: string }

@description('Days for which nobody can change or delete a file.')
param days int

@description('The handler, which writes a file a day.')
param principalId string

var roles = loadJsonContent('../role-actions.json').builtIn

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  // checkov:skip=CKV_AZURE_35: without a virtual network, Flex Consumption has no fixed addresses to allow; keys are disabled, so only Entra identities with a role have access
  // checkov:skip=CKV_AZURE_59: the same
  // checkov:skip=CKV_AZURE_206: whoever needs more than one zone names a container of their own
  // checkov:skip=CKV2_AZURE_1: it holds no customer data; Microsoft-managed keys encrypt it
  // checkov:skip=CKV2_AZURE_33: the same as CKV_AZURE_59
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Cool'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      defaultAction: 'Allow'
      bypass: 'AzureServices'
    }
    sasPolicy: {
      expirationAction: 'Log'
      sasExpirationPeriod: '0.01:00:00'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource evidence 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'evidence'
  properties: {
    publicAccess: 'None'
  }
}

// Unlocked: an owner can still remove it. A lock cannot be undone, so whoever needs one sets it.
resource policy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = {
  parent: evidence
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: days
    allowProtectedAppendWrites: false
  }
}

resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(evidence.id, principalId, roles.storageBlobDataContributor)
  scope: evidence
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageBlobDataContributor
    )
  }
}

output container string = '${account.properties.primaryEndpoints.blob}${evidence.name}'
