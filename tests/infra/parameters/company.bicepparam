using '../../../infra/main.bicep'

// A typical user: alerts by mail, exemptions, tags that a policy demands.
param location = 'westeurope'
param subscriptions = '11111111-1111-1111-1111-111111111111,22222222-2222-2222-2222-222222222222'
param alertEmails = 'ops@example.com'
param extraSettings = {
  DISKSEAL_EXEMPT_TAG: 'export-allowed'
}
param tags = {
  costCenter: '4711'
  owner: 'platform'
}
param logRetention = 90
