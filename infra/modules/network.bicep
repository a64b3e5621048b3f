// A virtual network through which the app reaches its storage by private endpoints only.

param name string
param location string
param tags { *: string }

@description('Address space of the network. Its halves are the subnets for the app and the endpoints.')
param addressPrefix string

var halfSize = int(last(split(addressPrefix, '/'))) + 1
var functionPrefix = cidrSubnet(addressPrefix, halfSize, 0)
var endpointPrefix = cidrSubnet(addressPrefix, halfSize, 1)

resource rules 'Microsoft.Network/networkSecurityGroups@2024-10-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'DenyInternetInbound'
        properties: {
          access: 'Deny'
          direction: 'Inbound'
          priority: 4000
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2024-10-01' = {
  name: 'vnet-${name}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'function'
        properties: {
          addressPrefix: functionPrefix
          networkSecurityGroup: {
            id: rules.id
          }
          // Flex Consumption runs on the platform of Container Apps.
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointPrefix
          networkSecurityGroup: {
            id: rules.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

// By name: the order of the subnets in Azure's answer is not promised.
resource functionSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-10-01' existing = {
  parent: virtualNetwork
  name: 'function'
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-10-01' existing = {
  parent: virtualNetwork
  name: 'endpoints'
}

output virtualNetworkId string = virtualNetwork.id
output functionSubnetId string = functionSubnet.id
output endpointSubnetId string = endpointSubnet.id
