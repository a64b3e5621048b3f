// Two identities: the handler's, and the one with which Event Grid writes dead letters, which has no other rights.

param name string
param location string
param tags { *: string }

resource host 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${name}'
  location: location
  tags: tags
}

resource deadLetter 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${name}-dead-letters'
  location: location
  tags: tags
}

output hostId string = host.id
output hostClientId string = host.properties.clientId
output hostPrincipalId string = host.properties.principalId
output deadLetterId string = deadLetter.id
output deadLetterPrincipalId string = deadLetter.properties.principalId
