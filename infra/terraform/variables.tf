variable "subscription_id" {
  description = "Subscription to install into."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.subscription_id))
    error_message = "The subscription must be an ID."
  }
}

variable "location" {
  description = "Region of all resources."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "The region must be named as Azure returns it, such as westeurope."
  }
}

variable "name" {
  description = "Name of this installation. Two installations in one tenant need two names."
  type        = string
  default     = "diskseal"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "The name must have 3 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "subscriptions" {
  description = "IDs of the subscriptions in scope; one that occurs twice counts once. Default: subscription_id. With a management group: the subscriptions below it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.subscriptions : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", id))])
    error_message = "Each subscription must be an ID."
  }
}

variable "management_group" {
  description = "Management group in scope, instead of subscriptions. The role is assigned on it."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_().-]{0,90}$", var.management_group))
    error_message = "The management group must be its ID, without a path."
  }
}

variable "cloud" {
  description = "Azure cloud, as in DISKSEAL_CLOUD."
  type        = string
  default     = "AzurePublic"

  validation {
    condition     = contains(["AzurePublic", "AzureUSGovernment", "AzureChina"], var.cloud)
    error_message = "The cloud must be AzurePublic, AzureUSGovernment or AzureChina."
  }
}

variable "mode" {
  description = "enforce seals. audit reports what it would seal and writes nothing."
  type        = string
  default     = "audit"

  validation {
    condition     = contains(["audit", "enforce"], var.mode)
    error_message = "The mode must be audit or enforce."
  }
}

variable "sweep_schedule" {
  description = "Schedule of the sweep, as an NCRONTAB expression with six fields."
  type        = string
  default     = "0 17 * * * *"

  validation {
    condition     = length(compact(split(" ", var.sweep_schedule))) == 6
    error_message = "The schedule must have six fields."
  }
}

variable "backup_guard" {
  description = "What to do about disks and snapshots that Azure Backup or Azure Site Recovery protects: skip, network, warn or off."
  type        = string
  default     = "skip"

  validation {
    condition     = contains(["skip", "network", "warn", "off"], var.backup_guard)
    error_message = "The guard must be skip, network, warn or off."
  }
}

variable "grants" {
  description = "Look at a disk or snapshot when access to its data is granted by a SAS URL. Adds an event type and two operations to the event subscriptions."
  type        = bool
  default     = false
}

variable "revoke" {
  description = "Revoke the SAS URLs that were granted before the seal. Adds two actions to the role."
  type        = bool
  default     = false
}

variable "extra_settings" {
  description = "Additional app settings of Diskseal, such as DISKSEAL_EXEMPT_TAG."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.extra_settings) : can(regex("^[A-Za-z_][A-Za-z0-9_.]*$", name))])
    error_message = "The name of a setting must have letters, digits, periods and underscores only."
  }
}

variable "evidence_days" {
  description = "Days for which nobody can change or delete a file of evidence, in a container of this installation. 0 makes none."
  type        = number
  default     = 0

  validation {
    condition     = var.evidence_days >= 0 && var.evidence_days <= 146000 && floor(var.evidence_days) == var.evidence_days
    error_message = "The number must be a whole one from 0 to 146000."
  }
}

variable "always_ready" {
  description = "Number of always-ready instances for events: 0 or 1."
  type        = number
  default     = 0

  validation {
    condition     = contains([0, 1], var.always_ready)
    error_message = "The number must be 0 or 1."
  }
}

variable "instance_memory" {
  description = "Memory of an instance in MB."
  type        = number
  default     = 512

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory)
    error_message = "The memory must be 512, 2048 or 4096."
  }
}

variable "maximum_instances" {
  description = "Maximum number of instances. One instance serves up to 100 events at a time, and all of them share the requests that Resource Manager allows an identity in a subscription."
  type        = number
  default     = 10

  validation {
    condition     = var.maximum_instances >= 1 && var.maximum_instances <= 1000
    error_message = "The number must be from 1 to 1000."
  }
}

variable "private_network" {
  description = "Restrict storage to a virtual network and private endpoints."
  type        = bool
  default     = false
}

variable "network_prefix" {
  description = "With private_network: the address space of the network that is made, /26 or larger."
  type        = string
  default     = "10.77.0.0/24"

  validation {
    condition     = can(cidrhost(var.network_prefix, 0)) && try(tonumber(split("/", var.network_prefix)[1]) <= 26, false)
    error_message = "The address space must be an IPv4 range such as 10.77.0.0/24, /26 or larger."
  }
}

variable "function_subnet_id" {
  description = "With private_network: an existing subnet for the app, delegated to Microsoft.App/environments. Empty makes a network with both subnets."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(|/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+)$", var.function_subnet_id)) && (var.function_subnet_id == "" || var.private_network)
    error_message = "The subnet must be an ID, and needs private_network."
  }
}

variable "endpoint_subnet_id" {
  description = "With function_subnet_id: an existing subnet for the private endpoints, whose names resolve without zones of this configuration."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(|/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+)$", var.endpoint_subnet_id)) && (var.endpoint_subnet_id == "") == (var.function_subnet_id == "")
    error_message = "The subnet must be an ID, and comes with function_subnet_id."
  }
}

variable "alert_emails" {
  description = "Email addresses for alerts. [\"none\"] if nobody is to get mail."
  type        = list(string)

  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for one in var.alert_emails : one == "none" || can(regex("^[^@ ]+@[^@ ]+$", one))])
    error_message = "Nobody would get the alerts: give addresses, or [\"none\"] if you read them elsewhere."
  }
}

variable "runbook" {
  description = "Address of docs/runbook.md, for the links in alerts. Empty: that in the repository of Cargo.toml, if it names one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(|https://[^ ]+)$", var.runbook))
    error_message = "The address must begin with https://."
  }
}

variable "operators" {
  description = "People on call: they may read and delete dead letters, read and clear the queues, and query the workspace of this configuration."
  type        = list(object({ id = string, type = string }))
  default     = []

  validation {
    condition     = alltrue([for one in var.operators : contains(["User", "Group", "ServicePrincipal"], one.type) && can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", one.id))])
    error_message = "The ID of an operator is an object ID, and the type User, Group or ServicePrincipal."
  }
}

variable "ingestion" {
  description = "Make the data collection endpoint and rule of Azure Monitor OTLP ingestion (preview) and send traces, metrics and logs there, unless otlp names others. false where the region or cloud does not have it."
  type        = bool
  default     = true
}

variable "existing_workspace_id" {
  description = "Existing Log Analytics workspace for telemetry and alerts, in the region of the installation. Empty makes one. Who may read an existing one, and for how long it keeps logs, is for its owner to say."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(|/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+)$", var.existing_workspace_id))
    error_message = "The workspace must be the ID of a Log Analytics workspace."
  }
}

variable "log_retention" {
  description = "Retention of logs in days, of a workspace that this configuration makes."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention >= 30 && var.log_retention <= 730
    error_message = "The retention must be from 30 to 730 days."
  }
}

variable "send_activity_log" {
  description = "Send the activity logs to the workspace. An alert uses them to find writes without an event."
  type        = bool
  default     = true
}

variable "otlp" {
  description = "URLs of Azure Monitor OTLP ingestion (preview), and the ID of the data collection rule, instead of those of this installation."
  type = object({
    traces                  = optional(string, "")
    metrics                 = optional(string, "")
    logs                    = optional(string, "")
    data_collection_rule_id = optional(string, "")
  })
  default = {}

  validation {
    condition     = alltrue([for one in [var.otlp.traces, var.otlp.metrics, var.otlp.logs] : can(regex("^(|https://[^ ]+)$", one))]) && can(regex("^(|/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Insights/dataCollectionRules/[^/]+)$", var.otlp.data_collection_rule_id))
    error_message = "Addresses must begin with https://, and the rule must be the ID of a data collection rule."
  }
}

variable "existing_topics" {
  description = "Existing system topics, as a map from subscription ID to the resource ID of the topic. Each topic must have the identity for dead letters."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for id, topic in var.existing_topics : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", id)) && can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.EventGrid/systemTopics/[^/]+$", topic))])
    error_message = "The keys must be IDs of subscriptions, and the values IDs of system topics."
  }
}

variable "assign_disk_policy" {
  description = "Assign the built-in policy that sets the auth mode of disks inside the create request. It acts with mode=enforce only, and on existing disks only with backup_guard=off as well, because a policy cannot see vaults."
  type        = bool
  default     = false
}

variable "snapshot_policy" {
  description = "Custom policy for snapshots, which the built-in policy does not cover: Off, Audit, or Modify if the alias is modifiable. Modify acts under the same conditions as the policy for disks."
  type        = string
  default     = "Off"

  validation {
    condition     = contains(["Off", "Audit", "Modify"], var.snapshot_policy)
    error_message = "The policy must be Off, Audit or Modify."
  }
}

variable "policy_exemptions" {
  description = "Exemptions from these policies, which do not know those of the handler: each is a resource group of a subscription in scope, its last day (UTC, such as 2027-01-31) and the reason."
  type        = list(object({ subscription = string, resource_group = string, until = string, reason = string }))
  default     = []

  validation {
    condition     = alltrue([for one in var.policy_exemptions : can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", one.until)) && trimspace(one.reason) != ""])
    error_message = "Each needs a last day such as 2027-01-31, and a reason."
  }
}

variable "exporters" {
  description = "Principals that may still export: object IDs with their kind (User, Group or ServicePrincipal)."
  type        = list(object({ id = string, type = string }))
  default     = []

  validation {
    condition     = alltrue([for one in var.exporters : contains(["User", "Group", "ServicePrincipal"], one.type) && can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", one.id))])
    error_message = "The ID of an exporter is an object ID, and the type User, Group or ServicePrincipal."
  }
}

variable "exporters_have_built_in_role" {
  description = "Role of the exporters: the built-in Data Operator for Managed Disks (true) or a custom role with the same four data actions (false)."
  type        = bool
  default     = true
}

variable "package_uri" {
  description = "Public HTTPS address of the package, such as that of a release. Resource Manager deploys it, without the Azure CLI. Empty deploys the file of package."
  type        = string
  default     = ""

  validation {
    condition     = var.package_uri == "" || startswith(var.package_uri, "https://")
    error_message = "The address must begin with https://."
  }
}

variable "package" {
  description = "Zip to deploy, absolute or relative to the repository. It must exist when Terraform plans."
  type        = string
  default     = "dist/diskseal-linux-x86_64.zip"

  validation {
    condition     = endswith(var.package, ".zip")
    error_message = "The package must be a zip."
  }
}

variable "tags" {
  description = "Tags for all resources."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 49 && alltrue([for name in keys(var.tags) : length(name) <= 512 && !contains(["application", "diskseal"], lower(name))])
    error_message = "A resource has at most 50 tags; application and diskseal are set by the installation itself."
  }
}
