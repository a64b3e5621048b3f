using '../../../infra/main.bicep'

// Nothing is enforced and nothing remediated.
param location = 'westeurope'
param alertEmails = 'ops@example.com'
param assignDiskPolicy = true
param snapshotPolicy = 'Modify'
