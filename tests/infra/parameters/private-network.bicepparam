using '../../../infra/main.bicep'

param location = 'westeurope'
param privateNetwork = true
param alwaysReady = 1
