using '../../../infra/main.bicep'

// Code and event subscriptions too, with a topic that exists.
param location = 'westeurope'
param alertEmails = 'ops@example.com'
param packageUri = 'https://example.com/diskseal-linux-x86_64.zip'
param existingTopics = {
  '11111111-1111-1111-1111-111111111111': '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.EventGrid/systemTopics/theirs'
}
