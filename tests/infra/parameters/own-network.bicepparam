using '../../../infra/main.bicep'

param location = 'westeurope'
param alertEmails = 'ops@example.com'
param privateNetwork = true
param functionSubnetId = '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/function'
param endpointSubnetId = '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints'
