using '../../../infra/main.bicep'

param location = 'westeurope'
param mode = 'enforce'
param backupGuard = 'off'
param assignDiskPolicy = true
param snapshotPolicy = 'Modify'
