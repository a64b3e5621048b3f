variable "subscription_id" {
  description = "Subscription to install into."
  type        = string
}

variable "location" {
  description = "Region of the function app and of everything beside it."
  type        = string
}

variable "name" {
  description = "Name of this installation. Two installations in one tenant need two names."
  type        = string
  default     = "diskseal"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "The name has 3 to 20 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "subscriptions" {
  description = "Subscriptions in scope: their IDs. Empty means the one installed into. With a management group: those below it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.subscriptions : can(regex("^[0-9a-fA-F-]{36}$", id))])
    error_message = "Subscriptions are given by their IDs."
  }
}

variable "management_group" {
  description = "Management group on which the role is assigned, instead of single subscriptions."
  type        = string
  default     = ""
}

variable "cloud" {
  description = "Azure cloud, by the name that Diskseal knows it by."
  type        = string
  default     = "AzurePublic"

  validation {
    condition     = contains(["AzurePublic", "AzureUSGovernment", "AzureChina"], var.cloud)
    error_message = "The cloud is AzurePublic, AzureUSGovernment or AzureChina."
  }
}

variable "mode" {
  description = "enforce seals. audit only says what would be sealed, and never writes."
  type        = string
  default     = "audit"

  validation {
    condition     = contains(["audit", "enforce"], var.mode)
    error_message = "The mode is audit or enforce."
  }
}

variable "sweep_schedule" {
  description = "When the sweep runs, in NCRONTAB with six fields."
  type        = string
  default     = "0 17 * * * *"

  validation {
    condition     = length(split(" ", var.sweep_schedule)) == 6
    error_message = "The schedule has six fields."
  }
}

variable "backup_guard" {
  description = "What sweeps do about disks of machines that Azure Backup or Azure Site Recovery protects: skip, warn or off."
  type        = string
  default     = "skip"

  validation {
    condition     = contains(["skip", "warn", "off"], var.backup_guard)
    error_message = "The guard is skip, warn or off."
  }
}

variable "extra_settings" {
  description = "More app settings of Diskseal, such as DISKSEAL_EXEMPT_TAG."
  type        = map(string)
  default     = {}
}

variable "always_ready" {
  description = "Instances that are kept ready for events: 0 or 1."
  type        = number
  default     = 0

  validation {
    condition     = contains([0, 1], var.always_ready)
    error_message = "0 or 1."
  }
}

variable "instance_memory" {
  description = "Memory of an instance in MB."
  type        = number
  default     = 512

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory)
    error_message = "512, 2048 or 4096."
  }
}

variable "maximum_instances" {
  description = "Most instances. Flex Consumption knows no less than 40."
  type        = number
  default     = 40

  validation {
    condition     = var.maximum_instances >= 40 && var.maximum_instances <= 1000
    error_message = "40 to 1000."
  }
}

variable "private_network" {
  description = "Whether storage is reached through a virtual network and private endpoints alone."
  type        = bool
  default     = false
}

variable "alert_emails" {
  description = "Addresses that alerts are mailed to."
  type        = list(string)
  default     = []
}

variable "log_retention" {
  description = "Days for which logs are kept."
  type        = number
  default     = 30
}

variable "send_activity_log" {
  description = "Whether to send the activity logs to the workspace, by which an alert sees writes that no event told of."
  type        = bool
  default     = true
}

variable "otlp" {
  description = "URLs of Azure Monitor OTLP ingestion (preview), and the ID of their data collection rule. Empty: off."
  type = object({
    traces                  = optional(string, "")
    metrics                 = optional(string, "")
    logs                    = optional(string, "")
    data_collection_rule_id = optional(string, "")
  })
  default = {}
}

variable "existing_topics" {
  description = "System topics that subscriptions have already: subscription ID to the topic's resource ID. The identity for dead letters must be theirs."
  type        = map(string)
  default     = {}
}

variable "assign_disk_policy" {
  description = "Whether to assign the built-in policy that seals disks inside the create request."
  type        = bool
  default     = false
}

variable "snapshot_policy" {
  description = "Our policy for snapshots, which the built-in one leaves out: Off, Audit, or Modify where the alias is modifiable."
  type        = string
  default     = "Off"

  validation {
    condition     = contains(["Off", "Audit", "Modify"], var.snapshot_policy)
    error_message = "Off, Audit or Modify."
  }
}

variable "exporters" {
  description = "Who may still export: object IDs with their kind (User, Group or ServicePrincipal)."
  type        = list(object({ id = string, type = string }))
  default     = []
}

variable "exporters_have_built_in_role" {
  description = "Whether exporters get Data Operator for Managed Disks (true) or our own role with the same four data actions (false)."
  type        = bool
  default     = true
}

variable "package" {
  description = "The zip to deploy, relative to the repository."
  type        = string
  default     = "dist/diskseal-linux-x86_64.zip"
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
