using '../../../infra/main.bicep'

// The other members of otlp are left out.
param location = 'westeurope'
param alertEmails = 'ops@example.com'
param otlp = {
  traces: 'https://example.com/otlp/v1/traces'
}
