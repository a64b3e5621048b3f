using '../../../infra/main.bicep'

param location = 'westeurope'
param alertEmails = 'ops@example.com'
param privateNetwork = true
param alwaysReady = 1
