"""Plants mistakes in a copy of infra/, one at a time, and checks that each is reported.

    mutations.py REPOSITORY DEFINITIONS.JSON PLUGINS
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check
import terraform

HERE = Path(__file__).resolve().parent
REPOSITORY, DEFINITIONS, PLUGINS = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]

# File in infra/, old text, new text, and the words that must be reported.
BICEP = [
    ("modules/function.bicep", "httpsOnly: true", "httpOnly: true", "app.properties.httpOnly is unknown"),
    ("modules/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeysAccess: false", "allowSharedKeysAccess is unknown"),
    ("modules/function.bicep", "instanceMemoryMB: instanceMemory", "instanceMemoryMb: instanceMemory", "instanceMemoryMb is unknown"),
    ("modules/function.bicep", "reserved: true", "reserved: 'true'", "plan.properties.reserved is string, not bool"),
    ("modules/function.bicep", "instanceCount: alwaysReady", "instanceCount: mode", "instanceCount is string, not int"),
    ("modules/storage.bicep", "'TLS1_2'", "'TLS12'", "'TLS12', not one of"),
    ("modules/function.bicep", "name: 'custom'", "name: 'rust'", "'rust', not one of"),
    ("modules/function.bicep", "'Microsoft.Web/sites@2024-11-01'", "'Microsoft.Web/sites@2024-11-31'", "no definition of Microsoft.Web/sites@2024-11-31"),
    ("modules/system-topic.bicep", "'Microsoft.EventGrid/systemTopics@", "'Microsoft.EventGrid/systemTopic@", "no definition of Microsoft.EventGrid/systemTopic@"),
    ("modules/storage.bicep", "  kind: 'StorageV2'\n", "", "account.kind is required"),
    ("modules/system-topic.bicep", "topicType: events.topicType", "topicType: events.topicType\n    provisioningState: 'Succeeded'", "provisioningState is read-only"),
    ("modules/event-subscription.bicep", "'AzureFunction'", "'AzureFunctions'", "'AzureFunctions', not one of"),
    ("modules/event-subscription.bicep", "blobContainerName:", "containerName:", "containerName is unknown"),
    ("modules/event-subscription.bicep", "operatorType: 'StringIn'", "operatorType: 'StringIs'", "'StringIs', not one of"),
    ("modules/event-subscription.bicep", "values: events.operations", "values: events.function", "values is string, not array"),
    ("modules/event-subscription.bicep", "events.operations", "events.operation", "operation is no member"),
    ("modules/event-subscription.bicep", "  parent: topic\n", "", "writes has no parent"),
    ("modules/identities.bicep", "host.properties.clientId", "host.properties.client", "client is no member"),
    ("main.bicep", "identities.outputs.hostClientId", "identities.outputs.hostClient", "has no output hostClient"),
    ("main.bicep", "    isPrivate: privateNetwork\n", "", "wants the parameter isPrivate"),
    ("main.bicep", "    isPrivate: privateNetwork\n", "    isPrivat: privateNetwork\n", "has no parameter isPrivat"),
    ("main.bicep", "    alwaysReady: alwaysReady\n", "    alwaysReady: 'one'\n", "alwaysReady of modules/function.bicep is int, not string"),
    ("main.bicep", "modules/storage.bicep' = {\n  scope: group\n", "modules/storage.bicep' = {\n", "is for a resourceGroup, not for a subscription"),
    ("main.bicep", "modules/storage.bicep", "modules/store.bicep", "there is no module modules/store.bicep"),
    ("main.bicep", "uniqueString(here", "uniqString(here", "uniqString is not among"),
    ("main.bicep", "location: location\n", "location: locaton\n", "locaton is not declared"),
    ("main.bicep", "param tags { *: string } = {}", "param tags { *: string } = {}\nparam spare string = ''", "spare is used nowhere"),
    ("modules/storage.bicep", "output accountId string = account.id", "output accountId int = account.id", "accountId is declared int, and is string"),
    ("modules/storage.bicep", "publicAccess: 'None'\n  }\n}\n\nresource deadLetters", "publicAccess: 'None'\n  }\n\nresource deadLetters", "syntax error"),
    ("modules/storage.bicep", "'../events.json'", "'../event.json'", "there is no file ../event.json"),
    # What must be there first.
    ("modules/subscription-events.bicep", "  dependsOn: [\n    topic\n  ]\n", "", "events does not wait for topic"),
    ("modules/subscription-events.bicep", "  dependsOn: [\n    group\n  ]\n", "", "topic does not wait for group"),
    ("modules/policy.bicep", "  dependsOn: [\n    disksRole\n  ]\n", "", "disksRemediation does not wait for disksRole"),
    ("main.bicep", "    endpoints\n", "", "function does not wait for endpoints"),
    ("main.bicep", "  dependsOn: [\n    code\n  ]\n", "", "events does not wait for code"),
    ("main.bicep", "module network 'modules/network.bicep'", "module early 'modules/event-subscription.bicep' = {\n  scope: group\n}\n\nmodule network 'modules/network.bicep'", "an event subscription before the code is there"),
    ("steps.sh", "    wait_for_function\n    deploy_events\n", "    deploy_events\n    wait_for_function\n", "the steps are not in the order"),
    ("steps.sh", 'location="$location" subscriptions="$subscriptions"\n', 'location="$location" subscription="$subscriptions"\n', "main.bicep has no parameter subscription"),
    ("steps.sh", 'workspaceId="$workspaceId" ', "", "infra/steps.sh for events.bicep: workspaceId is wanted"),
    ("steps.sh", "names=(resourceGroupName", "names=(resourceGroup", "main.bicep has no output resourceGroup"),
    ("main.parameters.json", '"otlp":', '"spare":', "azd cannot set otlp"),
    ("main.parameters.json", "${DISKSEAL_DEPLOY_MODE}", "${DISKSEAL_MODE=audit}", "mode is not DISKSEAL_DEPLOY_MODE alone"),
    ("parameters.py", '"backupGuard": "DISKSEAL', '"guard": "DISKSEAL', "main.bicep has no parameter guard"),
    ("main.parameters.json", '"location":', '"region":', "main.bicep has no parameter region"),
    # What Azure refuses, and what a deployment must not undo.
    ("modules/function.bicep", "      minTlsVersion: '1.2'\n", "      minTlsVersion: '1.2'\n      ftpsState: 'Disabled'\n", "ftpsState is refused by Flex Consumption"),
    ("terraform/function.tf", '        minTlsVersion          = "1.2"\n', '        minTlsVersion          = "1.2"\n        ftpsState              = "Disabled"\n', "ftpsState is refused by Flex Consumption"),
    ("modules/function.bicep", "environment().name != 'AzureCloud'", "environment().name == 'AzureCloud'", "AzureWebJobsStorage__accountName is missing"),
    ("main.bicep", "modules/storage.bicep' = {\n", "modules/storage.bicep' = {\n  name: '${name}-storage'\n", "storage has a fixed name"),
    ("events.bicep", "subscription-events.bicep' = [\n  for id in inScope: {\n", "subscription-events.bicep' = [\n  for id in inScope: {\n    name: '${name}-events'\n", "perSubscription has a fixed name"),
    ("main.bicep", ": contains(requested, '') ? fail('The parameter subscriptions has an empty element.') : union(requested, [])", ": union(requested, [])", "subscriptions='a,' is ['a', '']"),
    ("main.bicep", "split(toLower(replace(subscriptions, ' ', '')), ',')", "split(replace(subscriptions, ' ', ''), ',')", "subscriptions='a,A,b,a' is ['a', 'A', 'b']"),
    ("main.bicep", ": union(requested, [])", ": requested", "subscriptions='a,A,b,a' is ['a', 'a', 'b', 'a']"),
    ("events.bicep", ": union(requested, [])", ": requested", "events.bicep: subscriptions='a,A,b,a'"),
    ("events.bicep", "contains(requested, '')", "contains(requested, '-')", "events.bicep: subscriptions='a,'"),
    ("main.bicep", "(hasPolicies ? inScope : [])", "inScope", "policies loops 801 times"),
    ("main.bicep", "(empty(exporters) ? [] : inScope)", "inScope", "exporterAssignments loops 801 times"),
    ("main.bicep", "  scope: subscription(inScope[0])\n  params: {\n    name: name\n    installation: subscription().id\n    subscriptions: inScope\n    includeBackupGuard", "  params: {\n    name: name\n    installation: subscription().id\n    subscriptions: inScope\n    includeBackupGuard", "role is defined outside of the scopes"),
    ("modules/role-definition.bicep", "guid(installation,", "guid(subscription().id,", "the role's ID changes with the scope"),
    ("main.bicep", "@onlyIfNotExists()\n", "", "each deployment replaces the tags of the resource group"),
    ("modules/function.bicep", "DISKSEAL_SWITCH: resourceGroup().id", "DISKSEAL_SWITCH: resourceId('Microsoft.Web/sites', name)", "the switch is resourceId"),
    ("main.bicep", "module groupReader 'modules/group-reader.bicep' = {", "module groupReader 'modules/group-reader.bicep' = if (empty(managementGroup)) {", "not always Reader on the resource group"),
    ("terraform/main.tf", 'ignore_changes = [tags["diskseal"]]', "ignore_changes = []", "an apply removes the tag diskseal"),
    ("modules/policy.bicep", "mode == 'enforce' ? 'Default' : 'DoNotEnforce'", "backupGuard == 'off' ? 'Default' : 'DoNotEnforce'", "with mode=audit backupGuard=off the policy for disks is Default"),
    ("modules/policy.bicep", "var isRemediated = mode == 'enforce' && backupGuard == 'off'", "var isRemediated = mode == 'enforce'", "with mode=enforce backupGuard=skip existing disks are remediated"),
    ("modules/policy.bicep", "if (snapshotPolicy == 'Modify' && isRemediated)", "if (snapshotPolicy == 'Modify')", "with mode=audit backupGuard=skip existing snapshots are remediated"),
    ("modules/policy.bicep", "'ReEvaluateCompliance'", "'ExistingNonCompliant'", "the remediation of disks looks at nothing"),
    ("main.bicep", "      mode: mode\n", "      mode: 'enforce'\n", "the policies do not know mode"),
    ("main.bicep", "otlp.?dataCollectionRuleId ?? ''", "otlp.dataCollectionRuleId", "dataCollectionRuleId may be absent"),
    ("events.bicep", "existingTopics[?id] ?? ''", "contains(existingTopics, id) ? existingTopics[id] : ''", "use the safe access existingTopics[?id]"),
    ("main.bicep", "if (!empty(packageUri)) {\n  dependsOn", "if (empty(packageUri)) {\n  dependsOn", "with packageUri='' events is made"),
    ("modules/code.bicep", "'onedeploy'", "'MSDeploy'", "the extension is not One Deploy"),
    ("main.bicep", "@minValue(1)\n@maxValue(1000)", "@minValue(40)\n@maxValue(1000)", "maximumInstances is from 40 to 1000"),
    ("terraform/variables.tf", "var.maximum_instances >= 1 ", "var.maximum_instances >= 40 ", "maximum_instances differs from main.bicep"),
    ("modules/function.bicep", "perInstanceConcurrency: 100", "perInstanceConcurrency: 1", "the concurrency of an instance is left to a default"),
    ("main.bicep", "subnetId: makesNetwork ? network!.outputs.endpointSubnetId : endpointSubnet\n", "subnetId: makesNetwork ? network!.outputs.endpointSubnet : endpointSubnet\n", "has no output endpointSubnet"),
    ("main.bicep", "param evidenceDays int = 0", "param evidenceDays int = 1", "evidence is on by default"),
    ("modules/evidence.bicep", "  scope: evidence\n", "  scope: account\n", "is not Storage Blob Data Contributor on the container alone"),
    ("modules/evidence.bicep", "immutabilityPeriodSinceCreationInDays: days", "immutabilityPeriodSinceCreationInDays: 1", "the policy of the container is another"),
    ("terraform/evidence.tf", "scope              = azurerm_storage_container.evidence[0].id", "scope              = azurerm_storage_account.evidence[0].id", "the role is not on the container alone"),
    ("examples/outcome-mail.bicep", "var queue = 'diskseal-outcomes'", "var queue = 'diskseal-outcome'", "no function writes to its queue"),
    ("examples/outcome-mail.bicep", "name: 'managedIdentityAuth'", "name: 'keyBasedAuth'", "the queues are not read by identity"),
    ("new-subscriptions.json", '"operatorType": "StringIn"', '"operatorType": "StringContains"', "filter of the event subscription differs"),
    ("new-subscriptions.json", "[parameters('events').maxDeliveryAttempts]", "[parameters('events').eventTimeToLiveInMinutes]", "retryPolicy of the event subscription differs"),
    ("new-subscriptions.bicep", "                events: {", "                event: {", "hands over"),
    ("modules/event-subscription.bicep", "operatorType: 'StringNotIn'", "operatorType: 'StringIn'", "modules/event-subscription.bicep: own writes are delivered"),
    ("main.bicep", "handlerClientId: identities.outputs.hostClientId\n    workspaceId", "handlerClientId: identities.outputs.hostPrincipalId\n    workspaceId", "events gets another client ID"),
    ("main.bicep", "handlerClientId: identities.outputs.hostClientId\n  }", "handlerClientId: identities.outputs.hostPrincipalId\n  }", "alerts gets another client ID"),
    ("steps.sh", 'handlerClientId="$hostClientId"', 'handlerClientId="$hostPrincipalId"', "steps.sh: events.bicep gets another client ID"),
    ("terraform/events.tf", "[azurerm_user_assigned_identity.host.client_id]", "[azurerm_user_assigned_identity.host.principal_id]", "terraform/events.tf: own writes are delivered"),
    ("new-subscriptions.json", '"operatorType": "StringNotIn"', '"operatorType": "StringIn"', "new-subscriptions.json: own writes are delivered"),
    ("../docs/changing.md", "-n id-diskseal --query clientId", "-n id-diskseal-dead-letters --query clientId", "the policy for new subscriptions gets another client ID"),
    ("events.json", '    "Microsoft.Compute/virtualMachineScaleSets/write",\n', "", "virtualMachineScaleSets/write is missing"),
    # What comes only if it is asked for.
    ("events.json", "snapshots/beginGetAccess/action", "snapshots/endGetAccess/action", "snapshots/beginGetAccess/action is missing"),
    ("events.json", "ResourceActionSuccess", "ResourceActionFailure", "the types of events differ"),
    ("modules/event-subscription.bicep", "  grants\n    ? {", "  true\n    ? {", "modules/event-subscription.bicep: grants are not delivered, or always"),
    ("new-subscriptions.bicep", "concat(listed.operations, listed.grants.operations)", "listed.operations", "new-subscriptions.bicep: grants are not delivered, or always"),
    ("terraform/events.tf", "var.grants ? local.events.grants.eventTypes : []", "local.events.grants.eventTypes", "terraform/events.tf: eventTypes of grants"),
    ("modules/role-definition.bicep", "includeRevoke ? role.optional.revoke : []", "role.optional.revoke", "the role may revoke SAS URLs although nobody asks for it"),
    ("terraform/main.tf", "var.revoke ? local.roles.optional.revoke : []", "local.roles.optional.revoke", "terraform/main.tf: the role may revoke"),
    ("steps.sh", ' grants="$grants"', "", "steps.sh: does not hand over grants"),
    ("steps.sh", ' includeRevoke="$revoke"', "", "steps.sh: does not hand over includeRevoke"),
    ("terraform/variables.tf", 'variable "network_prefix"', 'variable "network_range"', "nothing sets networkPrefix"),
    ("terraform/variables.tf", '\n  validation {\n    condition     = endswith(var.package, ".zip")\n    error_message = "The package must be a zip."\n  }\n', "", "package takes every value"),
    ("terraform/tests/installation.tftest.hcl", "var.package, var.tags,", "var.tags,", "no wrong value of package is tried"),
    ("README.md", "| `networkPrefix` |", "| `networkRange` |", "the table of parameters lacks | `networkPrefix`"),
    ("README.md", "-p packageUri=… alertEmails=ops@example.com`", "-p packageUri=…`", "the command of ARM lacks alertEmails="),
    ("README.md", "| `terraform init`, `terraform apply ", "| `terraform init`, `terraform plan -out x`, `terraform apply ", "Terraform takes 3 commands"),
    ("../tests/infra/parameters/defaults.bicepparam", "param alertEmails = 'ops@example.com'\n", "", "defaults.bicepparam: lacks alertEmails"),
    ("deploy.sh", 'fail "alertEmails is required', 'fail "alertEmails are required', "main.bicep: alertEmails is wanted"),
    ("README.md", "at 1.50, 10 less often", "at 1.50, 8 less often", "alerts.json has 3 alerts every 5 min, and 10 less often"),
    ("modules/alerts.bicep", "replace(rule.query, '__HANDLER_CLIENT_ID__', handlerClientId)", "rule.query", "do not know the handler's own writes"),
    ("terraform/monitoring.tf", 'severity     = "Sev${each.value.severity}"', "", "does not name product and severity"),
    ("monitoring/alerts.json", '"Diskseal: the switch', '"The switch', "does not say what product it is"),
    ("monitoring/alerts.json", '__HANDLER_CLIENT_ID__', 'nobody', "unhandled counts the handler's own writes"),
    # The form of the compiler's formatter.
    ("modules/alerts.bicep", "= [\n  for rule in rules: {", "= [for rule in rules: {", "the loop begins on a line of its own"),
    ("main.bicep", "    otlp: hasIngestion\n      ? {", "    otlp: hasIngestion ? {", "the branches of the condition begin"),
    ("modules/monitoring.bicep", "subscriptionResourceId(\n      'Microsoft.Authorization/roleDefinitions',\n      roles.monitoringMetricsPublisher\n    )", "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)", "the arguments of a call"),
    ("createUiDefinition.json", '"value": "enforce"', '"value": "seal"', "mode may be audit, seal"),
    ("createUiDefinition.json", '"alertEmails": "[steps', '"emails": "[steps', "main.bicep has no parameter emails"),
    ("createUiDefinition.json", "( *, *[0-9a-fA-F-]{36})*$", "( *, *[0-9a-fA-F-]{36})*,?$", "subscriptions takes an empty element"),
    ("createUiDefinition.json", "steps('basics').exemptTag)", "steps('basics').tag)", "no element tag"),
    # What the code needs.
    ("role-actions.json", '    "Microsoft.Compute/snapshots/write",\n', "", "Microsoft.Compute/snapshots/write"),
    ("role-actions.json", '    "Microsoft.Resources/tags/read",\n', "", "lists Microsoft.Resources/tags/read, which no role has"),
    ("role-actions.json", '    "Microsoft.Resources/tags/read",\n', '    "Microsoft.Resources/tags/read",\n    "Microsoft.Compute/disks/beginGetAccess/action",\n', "nothing about Microsoft.Compute/disks/beginGetAccess/action"),
    ("role-actions.json", '"Microsoft.Resources/tags/read"', '"Microsoft.Resources/*/read"', "is not a single action"),
    ("role-actions.json", '    "Microsoft.Resources/tags/read",\n', '    "Microsoft.Resources/tags/read",\n    "Microsoft.Compute/disks/download/action",\n', "the handler's role has Microsoft.Compute/disks/download/action"),
    ("events.json", '"seal_on_write"', '"seal_on_writes"', "seal_on_writes is not a function"),
    ("events.json", '"diskseal-pending-poison", "diskseal-outcomes"],', '"diskseal-poison", "diskseal-outcomes"],', "the queues are"),
    ("modules/function.bicep", "DISKSEAL_MODE:", "DISKSEAL_MODUS:", "the code reads no DISKSEAL_MODUS"),
    ("modules/function.bicep", "DISKSEAL_SWEEP_SCHEDULE:", "DISKSEAL_SWEEP:", "no setting DISKSEAL_SWEEP_SCHEDULE is made"),
    ("modules/function.bicep", "'AzureChina'", "'AzureChinaCloud'", "the clouds are"),
    ("terraform/function.tf", "DISKSEAL_SWITCH = azurerm_resource_group.this.id", "DISKSEAL_SWITCHES = azurerm_resource_group.this.id", "DISKSEAL_SWITCHES is a setting of Terraform alone"),
    ("terraform/function.tf", "    DISKSEAL_BACKUP_GUARD                     = var.backup_guard\n", "", "DISKSEAL_BACKUP_GUARD is a setting of Bicep alone"),
    ("main.bicep", "'0 17 * * * *'", "'17 * * * *'", "has not six fields"),
    ("main.bicep", "  'audit'\n  'enforce'\n", "  'audit'\n  'enforced'\n", "mode may be audit, enforced"),
    # Telemetry, alerts and their recipients.
    ("main.bicep", "otlpIngestion!.outputs.metrics", "''", "the handler does not get the address of metrics"),
    ("main.bicep", "param ingestion bool = true", "param ingestion bool = false", "a default installation sends no telemetry"),
    ("main.bicep", "? fail('Nobody would get the alerts: alertEmails is empty. Pass alertEmails=ADDRESS, or alertEmails=none if you read them elsewhere.')", "? []", "alerts without a recipient are not refused"),
    ("modules/ingestion.bicep", "'Microsoft-OTel-Logs'", "'Microsoft-OTLP-Logs'", "not one of Microsoft-OTel-Logs"),
    ("modules/ingestion.bicep", "enrichWithReference: enrichment", "enrichWithReferences: enrichment", "enrichWithReferences is unknown"),
    ("modules/ingestion.bicep", "/Microsoft-OTLP-Traces/otlp", "/Microsoft-OTel-Traces/otlp", "no address ends with Microsoft-OTLP-Traces"),
    ("modules/alerts.bicep", "rule.needsTraces ? hasTraces : true", "true", "alerts that need traces are on without them"),
    ("modules/alerts.bicep", "'docs/runbook.md', runbook)}", "'docs/runbook.md', '')}", "the mail does not link to the runbook"),
    ("modules/operators.bicep", "roles.logAnalyticsReader", "roles.logAnalyticsReaders", "logAnalyticsReaders"),
    ("monitoring/alerts.json", "union isfuzzy=true (datatable(TimeGenerated: datetime, OperationName", "union (datatable(TimeGenerated: datetime, OperationName", "poisoned fails without its tables"),
]
# With the part of scripts.py that must report it.
SCRIPTS = {
    "first_installation": [
        ("steps.sh", "    wait_for_function\n    deploy_events\n", "    deploy_events\n    wait_for_function\n", "the steps run in order"),
        ("scope.sh", '[[ ,$list, != *,,* ]] ||', "true ||", "an empty element of subscriptions is refused"),
        ("scope.sh", "awk '!seen[$0]++'", "cat", "a subscription that occurs twice counts once"),
        ("deploy.sh", "    check | after | code)\n", "    *)\n", "variables of the shell are no options"),
        ("steps.sh", '"${@:3}" -o none "${az_install[@]}" 2>&1', '"${@:3}" -o none 2>&1', "every call names its subscription"),
        ("deploy.sh", "[[ -n $alert_emails || $step == after ]] ||", "true ||", "without a recipient of alerts the script stops"),
        ("steps.sh", ' tags="$tags"', "", "the resources of the event subscriptions get the tags"),
    ],
    "first_ten_minutes": [
        ("steps.sh", "for attempt in {1..150}", "for attempt in {1..30}", "a host that starts after three minutes is waited for"),
        ("steps.sh", "Deployment\\ was\\ successful|Failed\\ to\\ fetch\\ host\\ key|appears\\ to\\ be\\ unhealthy", "never", "code that is there is not sent again"),
        ("steps.sh", "404|409|Conflict|50[0-9]|", "", "an app that is not ready is waited for"),
        ("steps.sh", " && ! $answer =~ $MISSING", "", "a resource group that is missing is not waited for"),
        ("steps.sh", "2>&1) || refused=$answer", "2>&1)", "a refused sync of the triggers does not end the run"),
        ("steps.sh", "for attempt in {1..25}", "for attempt in {1..12}", "an app that is not ready is waited for: 403"),
    ],
    "second_run": [
        ("parameters.py", "today = {**last, **(shown_by(app, settings, group, last) if app else {})}", "today = last", "a second run without options asks nothing and keeps the mode"),
        ("parameters.py", "today = {**last, **", "today = {**", "and scope, mails, policies and tags"),
        ("parameters.py", "if name not in ours}", "if name in ours}", "settings, tags and the network that were changed at the app are kept"),
        ("parameters.py", "if name not in OWN_TAGS}", "}", "a switch that is off stays off"),
        ("parameters.py", "wanted[name] = merged(today.get(name), value)", "wanted[name] = value", "members of objects are merged"),
        ("deploy.sh", "[[ ${answer:-} == yes ]] ||", "true ||", "nothing happens without agreement"),
        ("deploy.sh", '[[ $location == "$installed_location" ]] ||', "true ||", "another region is refused"),
        ("steps.sh", "            validate_infrastructure\n", "", "an update that Azure would refuse leaves the old pair"),
        ("steps.sh", "        keep_switch\n", "", "a switch that a deployment has removed is set again"),
        ("steps.sh", "    stop_remediations\n", "", "in audit mode the remediations of policies end"),
    ],
    "scopes": [
        ("deploy.sh", "    check_topics\n", "", "all existing topics are reported"),
        ("scope.sh", '[[ -n $token && $token != None ]] || break', "break", "is read in pages"),
        ("steps.sh", "i=$((i + 200))", "i=$((i + 100))", "gets its events by 200"),
        ("steps.sh", 'names = {name: {} for name in identity.get("userAssignedIdentities") or {}}', "names = {}", "an existing topic keeps its identities"),
        ("steps.sh", "            Succeeded) return ;;\n", "            *) return ;;\n", "the event subscription waits for the topic"),
    ],
    "other_ways": [
        ("scope.sh", "    [[ -z $1 ]] || install=$1\n", "", "in azd's subscription"),
        ("deploy.sh", "        check) return ;;\n", "        check) read_installation; return ;;\n", "azd's check needs no region"),
        ("deploy.sh", "${private,,} != true", "$private != true", "a private network's provider is registered first: True"),
    ],
    "release": [
        ("steps.sh", "sha256sum --check --strict --status)", "cat >/dev/null)", "a package that SHA256SUMS does not list"),
        ("steps.sh", " >/dev/null || fail \"the attestation", " >/dev/null || true fail \"the attestation", "a package without an attestation"),
        ("parameters.py", '    if repository and "runbook" not in wanted:', "    if False:", "alerts link to the runbook there"),
        ("steps.sh", '    [[ -n $repository ]] || fail', '    true || fail', "without a repository in Cargo.toml"),
    ],
    "removal": [
        ("remove.sh", '[[ ${answer:-} == "$name" ]] ||', "true ||", "a wrong answer changes nothing"),
        ("remove.sh", '    find_assignments --all --role "Diskseal ($name)" --subscription "$1"\n', '    find_assignments --all --role "Diskseal ($name)" --subscription "$install"\n', "role assignments of every subscription"),
        ("remove.sh", '[[ ${found,,} != "${group,,}"/* ]] || add delete "$topic', '[[ -z $found ]] || add delete "$topic', "belongs to somebody else stays"),
        ("remove.sh", '[[ $found == diskseal ]] || fail', "true || fail", "a resource group of somebody else is not an installation"),
        ("remove.sh", '            az rest --method post --url "$target/cancel', '            true az rest --method post --url "$target/cancel', "the remediation after it is cancelled"),
        ("remove.sh", 'find_role "Diskseal ($name)" "${scopes[@]}"', 'find_role "Diskseal ($name)" "/subscriptions/elsewhere"', "each definition once, where it can be assigned"),
        ("remove.sh", "            preferred=${AZURE_SUBSCRIPTION_ID:?azd has set no AZURE_SUBSCRIPTION_ID}\n", "", "nothing of the Azure CLI's"),
        ("remove.sh", "if ! $only; then\n    if [[ -n $management_group ]]", "if true; then\n    if [[ -n $management_group ]]", "a subscription leaves the scope"),
    ],
}
TERRAFORM = [
    ("terraform/storage.tf", "min_tls_version ", "min_tls_versions ", "Unsupported argument"),
    ("terraform/storage.tf", '  account_tier                     = "Standard"\n', "", "Missing required argument"),
    ("terraform/main.tf", "local.roles.actions", "local.role.actions", "Reference to undeclared local value"),
    ("terraform/events.tf", "azurerm_storage_account.this.id", "azurerm_storage_account.that.id", "Reference to undeclared resource"),
    ("terraform/main.tf", "distinct([for id in local.listed", "concat([for id in local.listed", "a_doubled_subscription_counts_once"),
    ("terraform/variables.tf", "condition     = alltrue([for id in var.subscriptions : can(regex(\"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$\", id))])", "condition     = alltrue([for id in var.subscriptions : true || can(regex(id, id))])", "an_empty_subscription_is_refused"),
    ("terraform/roles.tf", '"${var.management_group == "" ? each.value : ""}/providers/Microsoft.Authorization/roleDefinitions/${azurerm_role_definition.this.role_definition_id}"', "azurerm_role_definition.this.role_definition_resource_id", "An apply replaces the role assignments each time"),
    ("terraform/policy.tf", "enforce              = local.is_enforced\n", "enforce              = true\n", "A policy writes in audit mode"),
    ("terraform/policy.tf", "T23:59:59Z", "T00:00:00Z", "The group is not exempt from both policies through its last day"),
    ("terraform/policy.tf", 'local.is_enforced && var.backup_guard == "off"', "local.is_enforced", "A remediation seals disks that vaults protect"),
    ("terraform/policy.tf", "for_each             = local.is_remediated ? local.policies : {}", "for_each             = local.policies", "A remediation writes in audit mode"),
    ("terraform/roles.tf", "actions      = local.actions", 'actions      = ["*"]', "The role differs from role-actions.json"),
    ("terraform/function.tf", "httpsOnly                 = true", "httpOnly                  = true", "body.properties.httpOnly is unknown"),
    ("terraform/ingestion.tf", '"Microsoft-OTel-Logs"', '"Microsoft-OTLP-Logs"', "not one of Microsoft-OTel-Logs"),
    ("terraform/ingestion.tf", "var.otlp.logs == \"\"", "var.otlp.logs != \"\"", "do not arrive with the default installation"),
    ("terraform/monitoring.tf", "each.value.needsTraces ? local.has_traces : true", "true", "Other alerts than those that need traces are off"),
    ("terraform/variables.tf", "length(var.alert_emails) > 0 && ", "", "alerts_without_a_recipient"),
    ("terraform/events.tf", "[azurerm_user_assigned_identity.host.client_id]", "[azurerm_user_assigned_identity.dead_letters.client_id]", "those of somebody else are not"),
    ("terraform/variables.tf", "https://[^ ]+)$\", one))]", "http.*)$\", one))]", "var.otlp"),
    ("terraform/network.tf", "local.makes_network ? azurerm_subnet.endpoints[0].id : var.endpoint_subnet_id", "try(azurerm_subnet.endpoints[0].id, \"\")", "not in the subnets that exist"),
    ("terraform/network.tf", "count               = local.makes_network ? 1 : 0", "count               = var.private_network ? 1 : 0", "a network beside the one that exists"),
    ("terraform/monitoring.tf", "scopes                  = [local.workspace_id]", "scopes                  = [azurerm_application_insights.this.id]", "do not use the workspace that exists"),
    ("terraform/events.tf", "maxEventsPerBatch             = 1", 'maxEventsPerBatch             = "one"', "maxEventsPerBatch is string, not int"),
]
# The recorder of live runs.
LIVE = [
    ("../tests/live/scrub.py", '        text = MAIL.sub(', '        MAIL.sub(', "IDs, names, tokens, signatures and claims are gone"),
    ("../tests/live/scrub.py", 'for one in ("claims", "tags", "evidence")', 'for one in ("tags",)', "IDs, names, tokens, signatures and claims are gone"),
    ("../tests/live/scrub.py", "        return self.secret(value, name) if value else \"\"\n", "        return value\n", "IDs, names, tokens, signatures and claims are gone"),
    ("../tests/live/scrub.py", "new.upper() if found.isupper() else new", "new", "a group in capitals stays in capitals"),
    ("../tests/live/scrub.py", "        self.search(result)\n", "", "a recording that still holds a name is refused"),
    ("../tests/live/scrub.py", 'response["headers"][name] = str(len(wire(response["body"])))', "pass", "a length is that of what is written"),
    ("../tests/live/record.py", "        if not RECORDED.search(flow.request.pretty_host):\n            return\n", "", "the sign-in is not"),
    ("../tests/live/record", "SSL_CERT_FILE=$scratch/trusted.pem ", "", "trusts it"),
]
STATIC = [
    ("modules/storage.bicep", "supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: false", "CKV_AZURE_3:"),
    ("modules/function.bicep", "httpsOnly: true", "httpsOnly: false", "CKV_AZURE_14"),
    ("terraform/storage.tf", 'min_tls_version                  = "TLS1_2"', 'min_tls_version                  = "TLS1_0"', "CKV_AZURE_44"),
]


def by_check(repository, file, expected):
    infra = check.Infrastructure(repository, DEFINITIONS)
    told = check.syntax(infra)
    return told or [fault for one in check.CHECKS[1:] for fault in one(infra)]


def by_scripts(part):
    return lambda repository, file, expected: reported_by_scripts(repository, part, expected)


def reported_by_scripts(repository, part, expected):
    done = subprocess.run([sys.executable, "-B", HERE / "scripts.py", repository, part, expected], text=True, capture_output=True)
    return [line for line in done.stdout.splitlines() if line.startswith("FAIL")]


def by_terraform(repository, file, expected):
    return [fault for _, faults in terraform.check(repository, DEFINITIONS, PLUGINS) for fault in faults]


def by_live(repository, file, expected):
    done = subprocess.run([sys.executable, "-B", Path(repository) / "tests/live/check.py"], text=True, capture_output=True)
    return [line for line in done.stdout.splitlines() if line.startswith("FAIL")]


def by_checkov(repository, file, expected):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    infra = Path(repository) / "simplified"
    subprocess.run([sys.executable, "-B", HERE / "simplified.py", Path(repository) / "infra", infra], check=True)
    done = subprocess.run(["checkov", "--file", f"{infra}/{file}", "--framework", "bicep", "terraform", "--skip-download", "--compact", "--quiet"],
                          text=True, capture_output=True, env={**os.environ, "PATH": path})
    return [line for line in done.stdout.splitlines() if line.startswith("Check:")]


def plant(mistake, judge):
    """What was changed, and why it was not reported, or None."""
    file, old, new, expected = mistake
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"
        copy.mkdir()
        for part in ("infra", "docs", "src", "function-definitions", "tests/infra/parameters", "tests/live"):
            shutil.copytree(REPOSITORY / part, copy / part)
        shutil.copy(REPOSITORY / "host.json", copy)
        path = copy / "infra" / file
        source = path.read_text()
        what = f"{file}: {(new or old).strip().splitlines()[0]}"
        if old not in source:
            return what, f"there is no {old.strip()!r} to change"
        path.write_text(source.replace(old, new, 1))
        told = judge(copy, file, expected)
        # Where several rules see it, one that names it is enough.
        return what, None if any(expected in " ".join(one.split()) for one in told) else f"expected {expected!r}, told was {told[:3]}"


def main():
    failed = False
    rounds = [(BICEP, by_check), *[(mistakes, by_scripts(part)) for part, mistakes in SCRIPTS.items()], (LIVE, by_live), (STATIC, by_checkov)]
    if shutil.which("terraform"):
        rounds.append((TERRAFORM, by_terraform))
    with ThreadPoolExecutor(2) as workers:
        for what, missed in workers.map(lambda one: plant(*one), [(mistake, judge) for mistakes, judge in rounds for mistake in mistakes]):
            failed = failed or bool(missed)
            print(f"FAIL mutation: {what} — {missed}" if missed else f"ok   mutation: reported: {what}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
