# The resources of each subscription in scope that deliver its writes to the function.

locals {
  existing_topics = { for id, topic in var.existing_topics : lower(id) => topic }
  new_topics      = { for id in local.subscriptions : id => "/subscriptions/${id}" if !contains(keys(local.existing_topics), id) }
  topics          = merge(local.existing_topics, { for id, topic in azapi_resource.topic : id => topic.id })
}

resource "azapi_resource" "events_group" {
  for_each  = local.new_topics
  type      = "Microsoft.Resources/resourceGroups@2025-03-01"
  name      = "rg-${var.name}-events"
  parent_id = each.value
  location  = var.location
  tags      = local.tags
}

resource "azapi_resource" "topic" {
  for_each  = local.new_topics
  type      = "Microsoft.EventGrid/systemTopics@2022-06-15"
  name      = "topic-${var.name}"
  parent_id = azapi_resource.events_group[each.key].id
  # Resource Manager's events have no region.
  location = "global"
  tags     = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.dead_letters.id]
  }

  body = {
    properties = {
      source    = each.value
      topicType = local.events.topicType
    }
  }
}

resource "azapi_resource" "delivery_failures" {
  for_each  = azapi_resource.topic
  type      = "Microsoft.Insights/diagnosticSettings@2021-05-01-preview"
  name      = "delivery-failures"
  parent_id = each.value.id

  body = {
    properties = {
      workspaceId = local.workspace_id
      logs        = [{ category = "DeliveryFailures", enabled = true }]
      metrics     = [{ category = "AllMetrics", enabled = true }]
    }
  }
}

resource "azapi_resource" "activity_log" {
  for_each  = var.send_activity_log ? toset(local.subscriptions) : toset([])
  type      = "Microsoft.Insights/diagnosticSettings@2021-05-01-preview"
  name      = var.name
  parent_id = "/subscriptions/${each.key}"

  body = {
    properties = {
      workspaceId = local.workspace_id
      logs        = [{ category = "Administrative", enabled = true }]
    }
  }
}

resource "azapi_resource" "event_subscription" {
  for_each  = toset(local.subscriptions)
  type      = "Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15"
  name      = var.name
  parent_id = local.topics[each.key]

  body = {
    properties = {
      destination = {
        endpointType = "AzureFunction"
        properties = {
          resourceId = "${azapi_resource.function.id}/functions/${local.events.function}"
          # One event per invocation: in a batch, one failure makes Event Grid deliver all events again.
          maxEventsPerBatch             = 1
          preferredBatchSizeInKilobytes = 64
        }
      }
      eventDeliverySchema = "CloudEventSchemaV1_0"
      filter = {
        includedEventTypes              = concat(local.events.eventTypes, var.grants ? local.events.grants.eventTypes : [])
        enableAdvancedFilteringOnArrays = true
        advancedFilters = [{
          operatorType = "StringIn"
          key          = "data.operationName"
          values       = concat(local.events.operations, var.grants ? local.events.grants.operations : [])
          }, {
          # Each seal is a write too. The handler would ignore its event, and Azure would bill it.
          operatorType = "StringNotIn"
          key          = "data.claims.appid"
          values       = [azurerm_user_assigned_identity.host.client_id]
        }]
      }
      retryPolicy = {
        maxDeliveryAttempts      = local.events.maxDeliveryAttempts
        eventTimeToLiveInMinutes = local.events.eventTimeToLiveInMinutes
      }
      deadLetterWithResourceIdentity = {
        identity = {
          type                 = "UserAssigned"
          userAssignedIdentity = azurerm_user_assigned_identity.dead_letters.id
        }
        deadLetterDestination = {
          endpointType = "StorageBlob"
          properties = {
            resourceId        = azurerm_storage_account.this.id
            blobContainerName = azurerm_storage_container.this[local.events.deadLetterContainer].name
          }
        }
      }
    }
  }

  # Event Grid refuses a function that does not exist.
  depends_on = [terraform_data.code, azapi_resource_action.code, azurerm_role_assignment.dead_letters]
}
