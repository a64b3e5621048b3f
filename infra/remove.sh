#!/usr/bin/env bash
# Removes an installation: event subscriptions first, so that nothing is delivered to a function that is being removed,
# then roles, policies and everything else. Sealed disks stay sealed; diskseal unseal unseals them.
set -euo pipefail
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "error: this needs bash 4.4 or newer: brew install bash on macOS, or run it in Azure Cloud Shell" >&2
    exit 1
fi

usage() {
    cat <<'TEXT'
usage: infra/remove.sh [--name NAME] [--subscriptions ID,ID | --management-group NAME] [--existing-topic ID]... [--keep-group] [--yes]

Removes the resources that infra/deploy.sh created with the same options. --keep-group keeps the resource group, for
azd down. A system topic that existed before stays; only Diskseal's event subscription is removed from it.
TEXT
}

say() { printf '→ %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [[ $# -lt 2 ]] || printf '       %s\n' "${@:2}" >&2
    exit 1
}

name=${DISKSEAL_NAME:-diskseal}
subscriptions=${DISKSEAL_SUBSCRIPTIONS:-}
management_group=${DISKSEAL_MANAGEMENT_GROUP:-}
topics=()
[[ -z ${DISKSEAL_EXISTING_TOPICS:-} ]] || IFS=, read -ra topics <<<"$DISKSEAL_EXISTING_TOPICS"
is_agreed=false
keep_group=false
while (($#)); do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --yes) is_agreed=true ;;
        --keep-group) keep_group=true ;;
        --name) name=${2:?--name needs a value} && shift ;;
        --subscriptions) subscriptions=${2:?--subscriptions needs a value} && shift ;;
        --management-group) management_group=${2:?--management-group needs a value} && shift ;;
        --existing-topic) topics+=("${2:?--existing-topic needs a value}") && shift ;;
        *) fail "$1 is not an option" "infra/remove.sh --help lists all options" ;;
    esac
    shift
done

command -v az >/dev/null || fail "the Azure CLI is not installed" "https://learn.microsoft.com/cli/azure/install-azure-cli"
here=$(az account show --query id -o tsv 2>/dev/null) || fail "the Azure CLI is not signed in" "run az login"
if [[ -n $management_group ]]; then
    query="resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project subscriptionId"
    subscriptions=$(az rest --method post --url "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01" \
        --body "{\"managementGroups\":[\"$management_group\"],\"query\":\"$query\",\"options\":{\"\$top\":1000,\"resultFormat\":\"objectArray\"}}" \
        --query "join(',', data[].subscriptionId)" -o tsv) || fail "the subscriptions below $management_group cannot be read"
fi
subscriptions=${subscriptions// /}
[[ -n $subscriptions ]] || subscriptions=$here

printf 'This removes Diskseal "%s":\n' "$name"
printf '  event subscription, resource group rg-%s-events, roles and policies in %s\n' "$name" "$subscriptions"
$keep_group || printf '  the resource group rg-%s in %s, with its queue, dead letters and logs\n' "$name" "$here"
if ! $is_agreed; then
    read -rp 'Type the name to continue: ' answer
    [[ $answer == "$name" ]] || fail "nothing was changed"
fi

failures=0
# Runs a removal. A resource that is already gone is not an error, so that a second run succeeds.
gone() {
    local answer
    answer=$("$@" 2>&1 >/dev/null) && return
    [[ $answer =~ NotFound|not\ found|does\ not\ exist|could\ not\ be\ found|No\ matched ]] && return
    printf 'error: %s\n' "$answer" >&2
    failures=$((failures + 1))
}
delete() { gone az rest --method delete --url "$1"; }

for topic in "${topics[@]}"; do
    say "event subscription of $topic"
    delete "$topic/eventSubscriptions/$name?api-version=2022-06-15"
done
principal=$(az identity show -g "rg-$name" -n "id-$name" --query principalId -o tsv 2>/dev/null || true)
for id in ${subscriptions//,/ }; do
    say "subscription $id"
    scope=/subscriptions/$id
    delete "$scope/resourceGroups/rg-$name-events/providers/Microsoft.EventGrid/systemTopics/topic-$name/eventSubscriptions/$name?api-version=2022-06-15"
    gone az group delete --subscription "$id" --name "rg-$name-events" --yes
    delete "$scope/providers/Microsoft.Insights/diagnosticSettings/$name?api-version=2021-05-01-preview"
    for policy in disks snapshots; do
        delete "$scope/providers/Microsoft.PolicyInsights/remediations/$name-$policy?api-version=2021-10-01"
        assigned=$(az rest --method get --url "$scope/providers/Microsoft.Authorization/policyAssignments/$name-$policy?api-version=2021-06-01" --query identity.principalId -o tsv 2>/dev/null || true)
        [[ -z $assigned ]] || gone az role assignment delete --assignee "$assigned" --scope "$scope"
        delete "$scope/providers/Microsoft.Authorization/policyAssignments/$name-$policy?api-version=2021-06-01"
    done
    delete "$scope/providers/Microsoft.Authorization/policyDefinitions/$name-snapshots?api-version=2021-06-01"
    # Before the identity is deleted: afterwards its assignments cannot be found by its ID.
    [[ -z $principal ]] || gone az role assignment delete --assignee "$principal" --scope "$scope"
done
if [[ -n $management_group ]]; then
    [[ -z $principal ]] || gone az role assignment delete --assignee "$principal" --scope "/providers/Microsoft.Management/managementGroups/$management_group"
    gone az role definition delete --name "Diskseal ($name)" --scope "/providers/Microsoft.Management/managementGroups/$management_group"
fi
for role in "Diskseal ($name)" "Diskseal disk data operator ($name)"; do
    say "role $role"
    # Exporters lose the custom role when it is deleted.
    mapfile -t assignments < <(az role assignment list --all --role "$role" --query '[].id' -o tsv 2>/dev/null)
    for assignment in "${assignments[@]}"; do
        gone az role assignment delete --ids "$assignment"
    done
    gone az role definition delete --name "$role" --scope "/subscriptions/$here"
done
if ! $keep_group; then
    say "resource group rg-$name"
    gone az group delete --name "rg-$name" --yes
fi
((failures == 0)) || fail "$failures items still exist" "run this again with the required rights"
say "done. Sealed disks and snapshots stay sealed: az disk list --query \"[?dataAccessAuthMode=='AzureActiveDirectory'].id\" lists the disks"
