output "function_app_id" {
  description = "The function app. The tag diskseal=off on its resource group stops every write."
  value       = azapi_resource.function.id
}

output "principal_id" {
  description = "Identity of the handler."
  value       = azurerm_user_assigned_identity.host.principal_id
}

output "dead_letter_identity_id" {
  description = "Identity for dead letters, which an existing system topic needs."
  value       = azurerm_user_assigned_identity.dead_letters.id
}
