using '../../../infra/main.bicep'

// What the first command of the README deploys.
param location = 'westeurope'
param alertEmails = 'ops@example.com'
