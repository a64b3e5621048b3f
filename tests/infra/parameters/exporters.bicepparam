using '../../../infra/main.bicep'

param location = 'westeurope'
param alertEmails = 'ops@example.com'
param exporters = [
  {
    id: '33333333-3333-3333-3333-333333333333'
    type: 'Group'
  }
]
param exportersHaveBuiltInRole = false
