// One private endpoint per service of the storage account, with its name in private DNS.

param name string
param location string
param tags { *: string }
param storageAccountId string

@description('Network to link the zones of the endpoints to. Empty makes no zones: whoever owns the network has them.')
param virtualNetworkId string

param subnetId string

var services = [
  'blob'
  'queue'
  'table'
]
var zoned = empty(virtualNetworkId) ? [] : services

resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [
  for service in zoned: {
    name: 'privatelink.${service}.${environment().suffixes.storage}'
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [
  for (service, i) in zoned: {
    parent: zones[i]
    name: 'link-${name}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: virtualNetworkId
      }
    }
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-10-01' = [
  for service in services: {
    name: 'pe-${name}-${service}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: service
          properties: {
            privateLinkServiceId: storageAccountId
            groupIds: [
              service
            ]
          }
        }
      ]
    }
  }
]

resource groups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-10-01' = [
  for (service, i) in zoned: {
    parent: endpoints[i]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: service
          properties: {
            privateDnsZoneId: zones[i].id
          }
        }
      ]
    }
  }
]
