using '../../../infra/main.bicep'

param location = 'westeurope'
param alertEmails = 'ops@example.com'
param mode = 'enforce'
param backupGuard = 'off'
param assignDiskPolicy = true
param snapshotPolicy = 'Modify'
