#!/usr/bin/env bash
# Removes an installation: shows what it found in every subscription of its scope, asks, and deletes exactly that. Event
# subscriptions go first, so that nothing is delivered to a function that is being removed. Sealed disks stay sealed;
# diskseal unseal unseals them.
set -euo pipefail
# shellcheck source=infra/scope.sh
source "$(dirname "$0")/scope.sh"

usage() {
    cat <<'TEXT'
usage: infra/remove.sh [--name NAME] [--subscriptions ID,ID | --management-group NAME] [--yes]
       infra/remove.sh --only-subscriptions ID,ID [--name NAME] [--yes]

Removes what infra/deploy.sh, azd or a template made. Without a scope, it is the one that the app is set to.
  --only-subscriptions ID,ID  only what these have: they leave the scope, and the rest of the installation stays
  --keep-group                keep the resource group
  --azd                       after azd down, in the subscription and with the scope of azd's environment
A system topic that existed before stays; only Diskseal's event subscription is removed from it.
TEXT
}

name="" subscriptions="" management_group="" preferred=""
is_agreed=false keep_group=false only=false
while (($#)); do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --yes) is_agreed=true ;;
        --keep-group) keep_group=true ;;
        --azd)
            preferred=${AZURE_SUBSCRIPTION_ID:?azd has set no AZURE_SUBSCRIPTION_ID}
            name=${DISKSEAL_DEPLOY_NAME:-} subscriptions=${DISKSEAL_DEPLOY_SUBSCRIPTIONS:-} management_group=${DISKSEAL_DEPLOY_MANAGEMENT_GROUP:-}
            ;;
        --name) name=${2:?--name needs a value} && shift ;;
        --subscriptions) subscriptions=${2:?--subscriptions needs a value} && shift ;;
        --only-subscriptions) subscriptions=${2:?--only-subscriptions needs a value} && only=true && shift ;;
        --management-group) management_group=${2:?--management-group needs a value} && shift ;;
        *) fail "$1 is not an option" "infra/remove.sh --help lists all options" ;;
    esac
    shift
done
name=${name:-diskseal}
find_installing_subscription "$preferred"
group=/subscriptions/$install/resourceGroups/rg-$name

# --- what there is -----------------------------------------------------------------------------------------------

# Sets $found to what Azure returns, or to nothing if it does not exist. Any other refusal ends the run: what cannot be
# seen cannot be listed.
ask() { # COMMAND...
    if found=$("$@" 2>&1); then
        [[ $found != None ]] || found=""
    elif [[ $found =~ NotFound|not\ found|does\ not\ exist|doesn\'t\ exist|could\ not\ be\ found ]]; then
        found=""
    else
        fail "Azure refused to show what there is: $found" "$*" "nothing was changed"
    fi
}
look() { ask az rest --method get --url "$1" --query "$2" -o tsv; } # URL QUERY

plan=() # ACTION TARGET, in the order of removal
scopes=()
add() { plan+=("$1 $2"); }

# Everything with the name of the installation is also asked for a sign that it belongs to it.
find_in_subscription() { # ID
    local scope=/subscriptions/$1 topic topics policy principal
    look "$scope/providers/Microsoft.EventGrid/systemTopics?api-version=2022-06-15" "value[?properties.topicType=='Microsoft.Resources.Subscriptions' || properties.topicType=='microsoft.resources.subscriptions'].id"
    mapfile -t topics <<<"$found"
    for topic in "${topics[@]}"; do
        [[ -n $topic ]] || continue
        look "$topic/eventSubscriptions/$name?api-version=2022-06-15" properties.destination.properties.resourceId
        [[ ${found,,} != "${group,,}"/* ]] || add delete "$topic/eventSubscriptions/$name?api-version=2022-06-15"
    done
    look "$scope/resourceGroups/rg-$name-events?api-version=2021-04-01" tags.application
    [[ $found != diskseal ]] || add group "$1 rg-$name-events"
    look "$scope/providers/Microsoft.Insights/diagnosticSettings/$name?api-version=2021-05-01-preview" properties.workspaceId
    [[ ${found,,} != "${group,,}"/* ]] || add delete "$scope/providers/Microsoft.Insights/diagnosticSettings/$name?api-version=2021-05-01-preview"
    for policy in disks snapshots; do
        look "$scope/providers/Microsoft.Authorization/policyAssignments/$name-$policy?api-version=2021-06-01" properties.displayName
        [[ $found == Diskseal:* ]] || continue
        look "$scope/providers/Microsoft.PolicyInsights/remediations/$name-$policy?api-version=2021-10-01" name
        [[ -z $found ]] || add remediation "$scope/providers/Microsoft.PolicyInsights/remediations/$name-$policy"
        look "$scope/providers/Microsoft.Authorization/policyAssignments/$name-$policy?api-version=2021-06-01" identity.principalId
        principal=$found
        [[ -z $principal ]] || find_assignments --all --assignee "$principal" --subscription "$1"
        add delete "$scope/providers/Microsoft.Authorization/policyAssignments/$name-$policy?api-version=2021-06-01"
        [[ $policy != snapshots ]] || add delete "$scope/providers/Microsoft.Authorization/policyDefinitions/$name-snapshots?api-version=2021-06-01"
    done
    find_assignments --all --role "Diskseal ($name)" --subscription "$1"
    find_assignments --all --role "Diskseal disk data operator ($name)" --subscription "$1"
    scopes+=("$scope")
}

# The handler's assignments by the role, not by the identity: azd removes the identity first.
find_assignments() { # FILTER...
    local assignment assignments
    ask az role assignment list "$@" --query '[].id' -o tsv
    mapfile -t assignments <<<"$found"
    for assignment in "${assignments[@]}"; do
        [[ -z $assignment ]] || add assignment "$assignment"
    done
}

find_role() { # ROLE SCOPE...
    local scope
    for scope in "${@:2}"; do
        ask az role definition list --custom-role-only true --name "$1" --scope "$scope" --query '[0].id' -o tsv "${az_install[@]}"
        [[ -n $found ]] || continue
        # It is one definition, listed in each of its scopes.
        add role "$scope $1"
        return
    done
}

# The installation itself: its scope is what the app is set to.
look "$group?api-version=2021-04-01" location
location=$found
if [[ -n $location ]]; then
    look "$group?api-version=2021-04-01" tags.application
    [[ $found == diskseal ]] || fail "the resource group rg-$name in $install has no tag application=diskseal, so it is not an installation"
    look "$group/providers/Microsoft.Web/sites?api-version=2024-11-01" "value[?tags.application=='diskseal'].id | [0]"
    if [[ -n $found && -z $subscriptions && -z $management_group ]]; then
        settings=$(az rest --method post --url "$found/config/appsettings/list?api-version=2024-11-01" \
            --query "[properties.DISKSEAL_SUBSCRIPTIONS || '-', properties.DISKSEAL_MANAGEMENT_GROUP || '-']" -o tsv) || fail "the settings of $found cannot be read" "pass the scope: --subscriptions or --management-group"
        mapfile -t settings < <(tr '\t' '\n' <<<"$settings")
        subscriptions=${settings[0]#-} management_group=${settings[1]#-}
    fi
fi
if [[ -n $management_group ]] && ! $only; then
    subscriptions=$(below_management_group "$management_group" "")
fi
subscriptions=$(listed_once "${subscriptions:-$install}")

for id in ${subscriptions//,/ }; do find_in_subscription "$id"; done
if ! $only; then
    if [[ -n $management_group ]]; then
        mg=/providers/Microsoft.Management/managementGroups/$management_group
        find_assignments --scope "$mg" --role "Diskseal ($name, $management_group)" "${az_install[@]}"
        find_role "Diskseal ($name, $management_group)" "$mg"
    fi
    find_role "Diskseal ($name)" "${scopes[@]}"
    find_role "Diskseal disk data operator ($name)" "${scopes[@]}"
    if [[ -n $location ]]; then
        $keep_group || add group "$install rg-$name"
        for deployment in "$name-$location" "$name-events-$location"; do
            look "/subscriptions/$install/providers/Microsoft.Resources/deployments/$deployment?api-version=2021-04-01" name
            [[ -z $found ]] || add record "$deployment"
        done
    fi
fi

((${#plan[@]})) || {
    say "nothing of Diskseal \"$name\" is left in $subscriptions"
    exit 0
}
printf 'This removes, of Diskseal "%s" in the subscription %s:\n' "$name" "$install"
printf '  %s\n' "${plan[@]%%\?api-version=*}"
if ! $is_agreed; then
    read -rp 'Type the name to continue: ' answer || true
    [[ ${answer:-} == "$name" ]] || fail "nothing was changed" "without a terminal, pass --yes"
fi

# --- what is removed ---------------------------------------------------------------------------------------------

left=()
# Runs a removal. A resource that is already gone is not an error, so that a second run succeeds.
gone() { # ITEM COMMAND...
    local answer
    answer=$("${@:2}" 2>&1 >/dev/null) && return
    [[ $answer =~ NotFound|not\ found|does\ not\ exist|could\ not\ be\ found|No\ matched ]] && return
    printf 'error: %s\n' "$answer" >&2
    left+=("$1")
}

for item in "${plan[@]}"; do
    say "${item%%\?api-version=*}"
    read -r action target rest <<<"$item"
    case $action in
        delete) gone "$item" az rest --method delete --url "$target" ;;
        remediation)
            az rest --method post --url "$target/cancel?api-version=2021-10-01" -o none 2>/dev/null || true
            gone "$item" az rest --method delete --url "$target?api-version=2021-10-01"
            ;;
        group) gone "$item" az group delete --subscription "$target" --name "$rest" --yes ;;
        assignment) gone "$item" az role assignment delete --ids "$target" "${az_install[@]}" ;;
        role) gone "$item" az role definition delete --name "$rest" --scope "$target" --custom-role-only true "${az_install[@]}" ;;
        record) gone "$item" az deployment sub delete --name "$target" "${az_install[@]}" ;;
    esac
done
if ((${#left[@]})); then
    printf 'These are left:\n' >&2
    printf '  %s\n' "${left[@]%%\?api-version=*}" >&2
    fail "${#left[@]} items still exist" "run this again with the required rights" \
        "with privateNetwork, Azure holds the app's subnet for hours after the app is gone: run it again then"
fi
say "done"
say "left as they are: sealed disks and snapshots (diskseal report lists them), the role Data Operator for Managed Disks of exporters, records of deployments, and for 14 days the workspace, which Azure can recover"
