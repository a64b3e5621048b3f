using '../../../infra/main.bicep'

param location = 'westeurope'
param alertEmails = 'ops@example.com'
param subscriptions = '11111111-1111-1111-1111-111111111111, 22222222-2222-2222-2222-222222222222,11111111-1111-1111-1111-111111111111'
param mode = 'enforce'
