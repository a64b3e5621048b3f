#!/usr/bin/env bash
# Installs Diskseal, or brings an installation up to date: infrastructure, code, trigger sync, and then the event
# subscriptions, which Event Grid refuses before the function is there. A second run changes nothing.
set -euo pipefail
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "error: this needs bash 4.4 or newer: brew install bash on macOS, or run it in Azure Cloud Shell" >&2
    exit 1
fi
cd "$(dirname "$0")/.."

readonly FUNCTION=seal-on-write
readonly WEB_API=2024-11-01
readonly TOPIC_API=2022-06-15

usage() {
    cat <<'TEXT'
usage: infra/deploy.sh --location REGION [options] [PARAMETER=VALUE...]

  --name NAME                 name of this installation (diskseal)
  --subscriptions ID,ID       subscriptions in scope (the current one)
  --management-group NAME     instead: every subscription below a management group, now and later
  --mode audit|enforce        audit only says what would be sealed, and never writes (audit)
  --backup-guard skip|warn|off
                              what sweeps do about disks of protected machines (skip)
  --existing-topic ID         a system topic that a subscription has already; may be given several times
  --package FILE              the zip to deploy (dist/diskseal-linux-x86_64.zip, made if it is missing)
  --no-activity-log           do not send the activity logs to the workspace
  --what-if                   only show what the infrastructure step would change
  --check                     only look whether everything is there that this needs
  --after-infrastructure      go on after main.bicep, as the hook of azd does
  --code                      the code, the trigger sync and the function alone, as Terraform asks for it

PARAMETER=VALUE sets any other parameter of infra/main.bicep, for example privateNetwork=true.
Needs the Azure CLI, signed in (az login), and the right to make roles: Owner, or Contributor with Role Based
Access Control Administrator.
TEXT
}

say() { printf '→ %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [[ $# -lt 2 ]] || printf '       %s\n' "${@:2}" >&2
    exit 1
}

# azd gives its hooks the values of its environment.
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
        *) fail "$1 is not an option" "infra/deploy.sh --help tells them all" ;;
    esac
    shift
done
subscriptions=${subscriptions// /}

check_tools() {
    command -v az >/dev/null || fail "the Azure CLI is not installed" "https://learn.microsoft.com/cli/azure/install-azure-cli"
    here=$(az account show --query id -o tsv 2>/dev/null) || fail "the Azure CLI is not signed in" "az login, and az account set --subscription ID for the one to install into"
    [[ -n $location ]] || fail "no region is given" "--location westeurope, for example; az account list-locations -o table"
    [[ $mode == audit || $mode == enforce ]] || fail "--mode is audit or enforce, not $mode"
    [[ -z $subscriptions || -z $management_group ]] || fail "--subscriptions and --management-group exclude each other"
    # A second command line for az: its Bicep compiler, which it installs by itself where it may.
    az bicep version >/dev/null 2>&1 || az bicep install >/dev/null 2>&1 || fail "the Azure CLI has no Bicep compiler" "az bicep install"
}

find_subscriptions() {
    if [[ -n $management_group ]]; then
        local query="resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | where properties.state =~ 'Enabled' | project subscriptionId"
        subscriptions=$(az rest --method post --url "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01" \
            --body "{\"managementGroups\":[\"$management_group\"],\"query\":\"$query\",\"options\":{\"\$top\":1000,\"resultFormat\":\"objectArray\"}}" \
            --query "join(',', data[].subscriptionId)" -o tsv) ||
            fail "the subscriptions below the management group $management_group cannot be read" "it takes Reader there; az account management-group show -n $management_group"
        [[ -n $subscriptions ]] || fail "no enabled subscription is below the management group $management_group"
    fi
    [[ -n $subscriptions ]] || subscriptions=$here
    say "in scope: $(tr ',' '\n' <<<"$subscriptions" | wc -l) subscriptions"
}

# A subscription has one topic at most: making a second one fails late and says little.
check_topics() {
    local id found topic
    for id in ${subscriptions//,/ }; do
        found=$(az rest --method get --url "/subscriptions/$id/providers/Microsoft.EventGrid/systemTopics?api-version=$TOPIC_API" \
            --query "value[?properties.topicType=='Microsoft.Resources.Subscriptions' || properties.topicType=='microsoft.resources.subscriptions'].id | [0]" -o tsv 2>/dev/null || true)
        [[ -n $found && ${found,,} != */resourcegroups/"rg-${name,,}-events"/* ]] || continue
        for topic in "${topics[@]}"; do
            [[ ${topic,,} != "${found,,}" ]] || continue 2
        done
        fail "subscription $id has a system topic already, and can have only one" "--existing-topic $found"
    done
}

# What Azure says while a new identity or role is not known everywhere yet.
readonly TOO_EARLY='PrincipalNotFound|RoleDefinitionDoesNotExist|RoleAssignmentUpdateNotPermitted|LinkedAuthorizationFailed'

deploy() { # SCOPE NAME ARGUMENTS...
    local scope=$1 deployment=$2 attempt answer
    for attempt in 1 2 3; do
        if answer=$(az deployment "$scope" create --name "$deployment" --location "$location" "${@:3}" -o none 2>&1); then
            return
        fi
        [[ $attempt -lt 3 && $answer =~ $TOO_EARLY ]] || break
        say "Azure does not know a new identity or role everywhere yet; once more in ${DISKSEAL_RETRY_SECONDS:-30} s"
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
    # Flex Consumption joins a network by the platform of Container Apps, which no resource here names.
    [[ " ${parameters[*]} " != *" privateNetwork=true "* ]] || az provider register --namespace Microsoft.App --wait -o none
    infrastructure_parameters
    deploy sub "$name-$location" "${arguments[@]}"
}

read_outputs() {
    local names=(resourceGroupName functionAppName functionAppId storageAccountId deadLetterContainer deadLetterIdentityId hostPrincipalId workspaceId) one
    if [[ $step == after || $step == code ]]; then
        [[ $step == after ]] || names=(resourceGroupName functionAppName functionAppId)
        for one in "${names[@]}"; do
            [[ -n ${!one:-} ]] || fail "the environment has no $one" "azd provision; azd env get-values"
        done
        return
    fi
    local query
    query=$(printf 'properties.outputs.%s.value,' "${names[@]}")
    # One line a value: none of them holds a line end.
    mapfile -t values < <(az deployment sub show --name "$name-$location" --query "[${query%,}]" -o tsv | tr '\t' '\n')
    [[ ${#values[@]} -eq ${#names[@]} ]] || fail "the deployment $name-$location has not the outputs that this needs"
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
        [[ -x infra/package.sh ]] || fail "there is no package $package" "--package FILE, with a release's diskseal-linux-x86_64.zip"
        say "package"
        infra/package.sh
    fi
    say "code"
    local attempt answer
    for attempt in {1..20}; do
        if answer=$(az functionapp deployment source config-zip --resource-group "$resourceGroupName" --name "$functionAppName" --src "$package" -o none 2>&1); then
            return
        fi
        # The app's own role on its storage takes up to ten minutes to hold.
        [[ $attempt -lt 20 && $answer =~ 403|Forbidden|AuthorizationPermissionMismatch|AuthorizationFailure ]] || break
        say "the app may not write to its storage yet; once more in ${DISKSEAL_RETRY_SECONDS:-30} s"
        sleep "${DISKSEAL_RETRY_SECONDS:-30}"
    done
    printf '%s\n' "$answer" >&2
    fail "the code was not taken" "az functionapp log deployment show -g $resourceGroupName -n $functionAppName"
}

# shellcheck disable=SC2154
sync_triggers() {
    say "trigger sync"
    az rest --method post --url "$functionAppId/syncfunctiontriggers?api-version=$WEB_API" -o none ||
        fail "the triggers were not synchronised" "az rest --method post --url $functionAppId/host/default/sync?api-version=$WEB_API"
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
    fail "the function $FUNCTION is not there: the Functions host could not start, or found no function.json" \
        "az functionapp function list -g $resourceGroupName -n $functionAppName -o table" \
        "the first lines of the log tell why: az monitor app-insights query --app appi-$name -g $resourceGroupName --analytics-query 'traces | order by timestamp desc | take 50'"
}

# A topic of somebody else's needs the identity that writes our dead letters, beside those that it has.
# shellcheck disable=SC2154
lend_identity() {
    local topic=$1 kind
    kind=$(az rest --method get --url "$topic?api-version=$TOPIC_API" --query "identity.type || 'None'" -o tsv) ||
        fail "the system topic $topic cannot be read" "check the ID; az eventgrid system-topic list -o table"
    case $kind in
        *SystemAssigned*) kind='SystemAssigned, UserAssigned' ;;
        *) kind=UserAssigned ;;
    esac
    az rest --method patch --url "$topic?api-version=$TOPIC_API" -o none \
        --body "{\"identity\":{\"type\":\"$kind\",\"userAssignedIdentities\":{\"$deadLetterIdentityId\":{}}}}" ||
        fail "the system topic $topic does not take the identity for dead letters" "it takes two user-assigned identities at most"
}

# shellcheck disable=SC2154
deploy_events() {
    local topic map=""
    for topic in "${topics[@]}"; do
        [[ $topic =~ ^/subscriptions/([^/]+)/resourceGroups/[^/]+/providers/Microsoft.EventGrid/systemTopics/[^/]+$ ]] ||
            fail "$topic is not the ID of a system topic" "az eventgrid system-topic list --query [].id -o tsv"
        lend_identity "$topic"
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
    say "done, in mode $mode. A role takes up to ten minutes to hold; then: diskseal doctor"
    [[ $mode == enforce ]] || say "to seal: look at diskseal report, and run this again with --mode enforce"
}

main
