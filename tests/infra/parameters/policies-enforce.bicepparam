using '../../../infra/main.bicep'

param location = 'westeurope'
param alertEmails = 'ops@example.com'
param mode = 'enforce'
param backupGuard = 'off'
param assignDiskPolicy = true
param snapshotPolicy = 'Modify'
param policyExemptions = [
  {
    subscription: '22222222-2222-2222-2222-222222222222'
    resourceGroup: 'rg-restore'
    until: '2027-01-31'
    reason: 'INC-1234 restore test'
  }
]
