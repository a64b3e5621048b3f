#!/usr/bin/env bash
# Installs or updates Diskseal: infrastructure, code, trigger sync, and then the event subscriptions, which Event Grid
# refuses until the function exists. A second run changes nothing.
set -euo pipefail
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "error: this needs bash 4.4 or newer: brew install bash on macOS, or run it in Azure Cloud Shell" >&2
    exit 1
fi
cd "$(dirname "$0")/.."

readonly FUNCTION=seal_on_write
readonly WEB_API=2024-11-01
readonly TOPIC_API=2022-06-15

usage() {
    cat <<'TEXT'
usage: infra/deploy.sh --location REGION [options] [PARAMETER=VALUE...]

  --name NAME                 name of this installation (default: diskseal)
  --subscriptions ID,ID       subscriptions in scope (default: the current one)
  --management-group NAME     instead: all subscriptions below a management group, including new ones
  --mode audit|enforce        audit reports what it would seal and writes nothing (default: audit)
  --backup-guard skip|warn|off
                              what to do about what vaults protect (default: skip)
  --existing-topic ID         system topic that a subscription already has; can be repeated
  --package FILE              zip to deploy (default: dist/diskseal-linux-x86_64.zip, built if it is missing)
  --no-activity-log           do not send the activity logs to the workspace
  --what-if                   only show what the infrastructure step would change
  --check                     only check the prerequisites
  --after-infrastructure      continue after main.bicep, for the hook of azd
  --code                      only deploy the code and sync the triggers, for Terraform

PARAMETER=VALUE sets any other parameter of infra/main.bicep, for example privateNetwork=true.
Requires the Azure CLI, signed in (az login), and the right to create roles: Owner, or Contributor with Role Based
Access Control Administrator.
TEXT
}

say() { printf '→ %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [[ $# -lt 2 ]] || printf '       %s\n' "${@:2}" >&2
    exit 1
}

# azd passes the values of its environment to its hooks.
name=${DISKSEAL_NAME:-diskseal}
location=${AZURE_LOCATION:-}
subscriptions=${DISKSEAL_SUBSCRIPTIONS:-}
management_group=${DISKSEAL_MANAGEMENT_GROUP:-}
mode=${DISKSEAL_MODE:-audit}
backup_guard=${DISKSEAL_BACKUP_GUARD:-skip}
package=${DISKSEAL_PACKAGE:-dist/diskseal-linux-x86_64.zip}
activity_log=true
step=all
parameters=()
topics=()
[[ -z ${DISKSEAL_EXISTING_TOPICS:-} ]] || IFS=, read -ra topics <<<"$DISKSEAL_EXISTING_TOPICS"

while (($#)); do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --what-if) step=what-if ;;
        --check) step=check ;;
        --after-infrastructure) step=after ;;
        --code) step=code ;;
        --no-activity-log) activity_log=false ;;
        --name | --location | --subscriptions | --management-group | --mode | --backup-guard | --package | --existing-topic)
            [[ $# -ge 2 ]] || fail "$1 needs a value"
            case $1 in
                --existing-topic) topics+=("$2") ;;
                *)
                    variable=${1#--}
                    printf -v "${variable//-/_}" %s "$2"
                    ;;
            esac
            shift
            ;;
        *=*) parameters+=("$1") ;;
        *) fail "$1 is not an option" "infra/deploy.sh --help lists all options" ;;
    esac
    shift
done
subscriptions=${subscriptions// /}

check_tools() {
    command -v az >/dev/null || fail "the Azure CLI is not installed" "https://learn.microsoft.com/cli/azure/install-azure-cli"
    here=$(az account show --query id -o tsv 2>/dev/null) || fail "the Azure CLI is not signed in" "run az login, then az account set --subscription ID to choose the subscription to install into"
    [[ -n $location ]] || fail "no region: pass --location" "for example --location westeurope; az account list-locations -o table lists all"
    [[ $mode == audit || $mode == enforce ]] || fail "--mode must be audit or enforce, not $mode"
    [[ -z $subscriptions || -z $management_group ]] || fail "--subscriptions and --management-group exclude each other"
    # az compiles Bicep with a program of its own, which it installs on demand.
    az bicep version >/dev/null 2>&1 || az bicep install >/dev/null 2>&1 || fail "the Azure CLI has no Bicep compiler" "az bicep install"
}

find_subscriptions() {
    if [[ -n $management_group ]]; then
        local query="resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | where properties.state =~ 'Enabled' | project subscriptionId"
        subscriptions=$(az rest --method post --url "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01" \
            --body "{\"managementGroups\":[\"$management_group\"],\"query\":\"$query\",\"options\":{\"\$top\":1000,\"resultFormat\":\"objectArray\"}}" \
            --query "join(',', data[].subscriptionId)" -o tsv) ||
            fail "the subscriptions below the management group $management_group cannot be read" "you need Reader on it: az account management-group show -n $management_group"
        [[ -n $subscriptions ]] || fail "no enabled subscription is below the management group $management_group"
    fi
    [[ -n $subscriptions ]] || subscriptions=$here
    say "in scope: $(tr ',' '\n' <<<"$subscriptions" | wc -l) subscriptions"
}

# A subscription has one topic at most: creating a second one fails late, with an unclear error.
check_topics() {
    local id found topic
    for id in ${subscriptions//,/ }; do
        found=$(az rest --method get --url "/subscriptions/$id/providers/Microsoft.EventGrid/systemTopics?api-version=$TOPIC_API" \
            --query "value[?properties.topicType=='Microsoft.Resources.Subscriptions' || properties.topicType=='microsoft.resources.subscriptions'].id | [0]" -o tsv 2>/dev/null || true)
        [[ -n $found && ${found,,} != */resourcegroups/"rg-${name,,}-events"/* ]] || continue
        for topic in "${topics[@]}"; do
            [[ ${topic,,} != "${found,,}" ]] || continue 2
        done
        fail "subscription $id already has a system topic, and can have only one" "use it: --existing-topic $found"
    done
}

# Azure's errors while a new identity or role is still replicating.
readonly TOO_EARLY='PrincipalNotFound|RoleDefinitionDoesNotExist|RoleAssignmentUpdateNotPermitted|LinkedAuthorizationFailed'

deploy() { # SCOPE NAME ARGUMENTS...
    local scope=$1 deployment=$2 attempt answer
    for attempt in 1 2 3; do
        if answer=$(az deployment "$scope" create --name "$deployment" --location "$location" "${@:3}" -o none 2>&1); then
            return
        fi
        [[ $attempt -lt 3 && $answer =~ $TOO_EARLY ]] || break
        say "a new identity or role is still replicating in Azure; retrying in ${DISKSEAL_RETRY_SECONDS:-30} s"
        sleep "${DISKSEAL_RETRY_SECONDS:-30}"
    done
    printf '%s\n' "$answer" >&2
    fail "the deployment $deployment failed" \
        "az deployment operation $scope list --name $deployment --query \"[?properties.provisioningState=='Failed'].properties.statusMessage\""
}

infrastructure_parameters() {
    arguments=(--template-file infra/main.bicep --parameters name="$name" location="$location" mode="$mode" backupGuard="$backup_guard"
        subscriptions="$subscriptions" managementGroup="$management_group" "${parameters[@]}")
}

deploy_infrastructure() {
    say "infrastructure"
    # Flex Consumption joins a network through the platform of Container Apps, which no resource here names.
    [[ " ${parameters[*]} " != *" privateNetwork=true "* ]] || az provider register --namespace Microsoft.App --wait -o none
    infrastructure_parameters
    deploy sub "$name-$location" "${arguments[@]}"
}

read_outputs() {
    local names=(resourceGroupName functionAppName functionAppId storageAccountId deadLetterContainer deadLetterIdentityId hostPrincipalId workspaceId) one
    if [[ $step == after || $step == code ]]; then
        [[ $step == after ]] || names=(resourceGroupName functionAppName functionAppId)
        for one in "${names[@]}"; do
            [[ -n ${!one:-} ]] || fail "the azd environment has no $one" "run azd provision; azd env get-values lists the values"
        done
        return
    fi
    local query
    query=$(printf 'properties.outputs.%s.value,' "${names[@]}")
    # One value per line: no value contains a line break.
    mapfile -t values < <(az deployment sub show --name "$name-$location" --query "[${query%,}]" -o tsv | tr '\t' '\n')
    [[ ${#values[@]} -eq ${#names[@]} ]] || fail "the deployment $name-$location lacks outputs that this script needs"
    local i
    for i in "${!names[@]}"; do
        printf -v "${names[i]}" %s "${values[i]}"
    done
}

assign_at_management_group() {
    [[ -n $management_group ]] || return 0
    say "role at the management group $management_group"
    # shellcheck disable=SC2154 # read_outputs sets it
    deploy mg "$name-$location" --management-group-id "$management_group" --template-file infra/role-management-group.bicep \
        --parameters name="$name" principalId="$hostPrincipalId" includeBackupGuard="$([[ $backup_guard == off ]] && echo false || echo true)"
}

# shellcheck disable=SC2154 # read_outputs sets them
deploy_code() {
    if [[ ! -f $package ]]; then
        [[ -x infra/package.sh ]] || fail "the package $package does not exist" "pass --package FILE with the diskseal-linux-x86_64.zip of a release"
        say "package"
        infra/package.sh
    fi
    say "code"
    local attempt answer
    for attempt in {1..20}; do
        if answer=$(az functionapp deployment source config-zip --resource-group "$resourceGroupName" --name "$functionAppName" --src "$package" -o none 2>&1); then
            return
        fi
        # The app's own role on its storage takes up to ten minutes to take effect.
        [[ $attempt -lt 20 && $answer =~ 403|Forbidden|AuthorizationPermissionMismatch|AuthorizationFailure ]] || break
        say "the app's role on its storage is not in effect yet; retrying in ${DISKSEAL_RETRY_SECONDS:-30} s"
        sleep "${DISKSEAL_RETRY_SECONDS:-30}"
    done
    printf '%s\n' "$answer" >&2
    fail "deploying the code failed" "az functionapp log deployment show -g $resourceGroupName -n $functionAppName"
}

# shellcheck disable=SC2154
sync_triggers() {
    say "trigger sync"
    az rest --method post --url "$functionAppId/syncfunctiontriggers?api-version=$WEB_API" -o none ||
        fail "syncing the triggers failed" "az rest --method post --url $functionAppId/host/default/sync?api-version=$WEB_API"
}

wait_for_function() {
    local attempt
    say "waiting for the function $FUNCTION"
    for attempt in {1..60}; do
        if az rest --method get --url "$functionAppId/functions/$FUNCTION?api-version=$WEB_API" -o none 2>/dev/null; then
            return
        fi
        [[ $attempt -eq 60 ]] || sleep "${DISKSEAL_WAIT_SECONDS:-5}"
    done
    fail "the function $FUNCTION does not exist: the Functions host could not start, or found no function.json" \
        "az functionapp function list -g $resourceGroupName -n $functionAppName -o table" \
        "the first lines of the log show why: az monitor app-insights query --app appi-$name -g $resourceGroupName --analytics-query 'traces | order by timestamp desc | take 50'"
}

# A topic that someone else created needs the identity that writes dead letters, in addition to its own.
# shellcheck disable=SC2154
add_identity() {
    local topic=$1 kind
    kind=$(az rest --method get --url "$topic?api-version=$TOPIC_API" --query "identity.type || 'None'" -o tsv) ||
        fail "the system topic $topic cannot be read" "check the ID; az eventgrid system-topic list -o table"
    case $kind in
        *SystemAssigned*) kind='SystemAssigned, UserAssigned' ;;
        *) kind=UserAssigned ;;
    esac
    az rest --method patch --url "$topic?api-version=$TOPIC_API" -o none \
        --body "{\"identity\":{\"type\":\"$kind\",\"userAssignedIdentities\":{\"$deadLetterIdentityId\":{}}}}" ||
        fail "the identity for dead letters could not be added to the system topic $topic" "a topic has two user-assigned identities at most"
}

# shellcheck disable=SC2154
deploy_events() {
    local topic map=""
    for topic in "${topics[@]}"; do
        [[ $topic =~ ^/subscriptions/([^/]+)/resourceGroups/[^/]+/providers/Microsoft.EventGrid/systemTopics/[^/]+$ ]] ||
            fail "$topic is not the ID of a system topic" "az eventgrid system-topic list --query [].id -o tsv"
        add_identity "$topic"
        map+="${map:+,}\"${BASH_REMATCH[1]}\":\"$topic\""
    done
    say "event subscriptions"
    deploy sub "$name-events-$location" --template-file infra/events.bicep --parameters name="$name" location="$location" \
        subscriptions="$subscriptions" existingTopics="{$map}" functionAppId="$functionAppId" deadLetterIdentityId="$deadLetterIdentityId" \
        storageAccountId="$storageAccountId" deadLetterContainer="$deadLetterContainer" workspaceId="$workspaceId" sendActivityLog="$activity_log"
}

main() {
    check_tools
    [[ $step != check ]] || return 0
    if [[ $step == code ]]; then
        read_outputs
        deploy_code
        sync_triggers
        wait_for_function
        return
    fi
    find_subscriptions
    check_topics
    if [[ $step == what-if ]]; then
        infrastructure_parameters
        az deployment sub what-if --name "$name-$location" --location "$location" "${arguments[@]}"
        return
    fi
    [[ $step == after ]] || deploy_infrastructure
    read_outputs
    assign_at_management_group
    deploy_code
    sync_triggers
    wait_for_function
    deploy_events
    say "done, in mode $mode. Roles take up to ten minutes to take effect; then run diskseal doctor"
    [[ $mode == enforce ]] || say "to seal: read diskseal report, then run this again with --mode enforce"
}

main
