#!/usr/bin/env bash
# Installs or updates Diskseal: infrastructure, code, and then the event subscriptions, which Event Grid refuses until
# the function exists. A second run changes only what its options ask for: it reads the app and the last deployment.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=infra/scope.sh
source infra/scope.sh

readonly FUNCTION=seal_on_write
readonly WEB_API=2024-11-01
readonly TOPIC_API=2022-06-15
readonly ZIP=diskseal-linux-x86_64.zip

usage() {
    cat <<'TEXT'
usage: infra/deploy.sh --location REGION alertEmails=ADDRESS,ADDRESS [options] [PARAMETER=VALUE...]

  alertEmails=ADDRESS,ADDRESS who gets the alerts (required by a first installation; none if you read them elsewhere)
  --name NAME                 name of this installation (default: diskseal)
  --subscriptions ID,ID       subscriptions in scope (default: the current one)
  --management-group NAME     instead: all subscriptions below a management group, including new ones
  --mode audit|enforce        audit reports what it would seal and writes nothing (first installation: audit)
  --backup-guard skip|network|warn|off
                              what to do about what vaults protect (first installation: skip)
  --existing-topic ID         system topic that a subscription already has; can be repeated
  --package FILE              zip to deploy (default: dist/diskseal-linux-x86_64.zip, built if it is missing)
  --version vX.Y.Z            instead: the zip of a release, downloaded and verified
  --rollback                  the code is older than what runs: set its settings before it is deployed, not after
  --no-activity-log           do not send the activity logs to the workspace
  --yes                       do not ask before an installation changes
  --what-if                   only show what the infrastructure step would change
  --check                     only check the prerequisites, for the hook of azd
  --after-infrastructure      continue after main.bicep, for the hook of azd
  --code                      only deploy the code and sync the triggers, for Terraform

PARAMETER=VALUE sets any other parameter of infra/main.bicep, for example privateNetwork=true, or
'extraSettings={"DISKSEAL_EXEMPT_TAG":"keep"}'; null removes a member. infra/README.md lists them. On an installation that exists, whatever is not
given stays as it is, changes made since at the app included.
Requires the Azure CLI, signed in (az login), Python 3.9, and the right to create roles: Owner, or Contributor with Role
Based Access Control Administrator.
TEXT
}

name="" location="" package="" version="" step=all
topic_map="" is_agreed=false is_rollback=false
parameters=()

while (($#)); do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --what-if) step=what-if ;;
        --check) step=check ;;
        --after-infrastructure) step=after ;;
        --code) step=code ;;
        --no-activity-log) parameters+=("sendActivityLog=false") ;;
        --yes) is_agreed=true ;;
        --rollback) is_rollback=true ;;
        --name | --location | --package | --version | --subscriptions | --management-group | --mode | --backup-guard | --existing-topic)
            [[ -n ${2:-} ]] || fail "$1 needs a value"
            case $1 in
                --existing-topic)
                    [[ $2 =~ ^/subscriptions/([^/]+)/resourceGroups/[^/]+/providers/Microsoft.EventGrid/systemTopics/[^/]+$ ]] ||
                        fail "$2 is not the ID of a system topic" "az eventgrid system-topic list --query \"[].id\" -o tsv"
                    topic_map+="${topic_map:+,}\"${BASH_REMATCH[1],,}\":\"$2\""
                    ;;
                --subscriptions)
                    list=$(listed_once "$2")
                    parameters+=("subscriptions=$list")
                    ;;
                --management-group) parameters+=("managementGroup=$2") ;;
                --mode) parameters+=("mode=$2") ;;
                --backup-guard) parameters+=("backupGuard=$2") ;;
                *) printf -v "${1#--}" %s "$2" ;;
            esac
            shift
            ;;
        name=* | location=*) printf -v "${1%%=*}" %s "${1#*=}" ;;
        *=*) parameters+=("$1") ;;
        *) fail "$1 is not an option" "infra/deploy.sh --help lists all options" ;;
    esac
    shift
done
[[ -z $topic_map ]] || parameters+=("existingTopics={$topic_map}")
# Only the hooks read variables: those of azd's environment, which are none of the command line's own.
preferred=""
case $step in
    check | after | code)
        preferred=${AZURE_SUBSCRIPTION_ID:-}
        name=${name:-${DISKSEAL_DEPLOY_NAME:-}}
        location=${location:-${AZURE_LOCATION:-}}
        package=${package:-${DISKSEAL_DEPLOY_PACKAGE:-}}
        for pair in subscriptions:SUBSCRIPTIONS managementGroup:MANAGEMENT_GROUP mode:MODE backupGuard:BACKUP_GUARD grants:GRANTS revoke:REVOKE tags:TAGS \
            existingTopics:EXISTING_TOPICS sendActivityLog:SEND_ACTIVITY_LOG privateNetwork:PRIVATE_NETWORK packageUri:PACKAGE_URI; do
            variable=DISKSEAL_DEPLOY_${pair#*:}
            [[ -z ${!variable:-} ]] || parameters+=("${pair%%:*}=${!variable}")
        done
        ;;
esac
name=${name:-diskseal}
# As Azure returns it: "West Europe" is westeurope.
location=${location// /} location=${location,,}
package=${package:-dist/$ZIP}

asked() { # PARAMETER, prints the value that the options give
    local one
    for one in "${parameters[@]}"; do [[ $one != "$1="* ]] || printf '%s' "${one#*=}"; done
}

check_tools() {
    find_installing_subscription "$preferred"
    case $(asked mode) in "" | audit | enforce) ;; *) fail "--mode must be audit or enforce, not $(asked mode)" ;; esac
    [[ -z $(asked subscriptions) || -z $(asked managementGroup) ]] || fail "--subscriptions and --management-group exclude each other"
    [[ -z $version || $package == "dist/$ZIP" ]] || fail "--version and --package exclude each other"
    command -v python3 >/dev/null || fail "python3 is not installed"
    # Flex Consumption joins a network through the platform of Container Apps, which no resource here names.
    local private
    private=$(asked privateNetwork)
    [[ ${private,,} != true || $step == what-if ]] || az provider register --namespace Microsoft.App --wait -o none "${az_install[@]}"
}

scratch() {
    state=$(mktemp -d)
    trap 'rm -rf "$state"' EXIT
}

# What Azure has: the resource group, the app with its settings, and the parameters of the last deployment.
read_installation() {
    local answer
    if answer=$(az group show --name "rg-$name" -o json "${az_install[@]}" 2>&1); then
        printf '%s' "$answer" >"$state/group.json"
    elif [[ ! $answer =~ NotFound|not\ found|could\ not\ be\ found ]]; then
        fail "the resource group rg-$name cannot be read: $answer"
    fi
    if [[ -s $state/group.json ]]; then
        installed_location=$(az group show --name "rg-$name" --query location -o tsv "${az_install[@]}")
        location=${location:-$installed_location}
        [[ $location == "$installed_location" ]] ||
            fail "the installation $name is in $installed_location, and its resource group cannot move to $location" \
                "docs/changing.md, \"Another region\", has the commands"
        installed_app=$(az rest --method get --url "/subscriptions/$install/resourceGroups/rg-$name/providers/Microsoft.Web/sites?api-version=$WEB_API" \
            --query "value[?tags.application=='diskseal'].id | [0]" -o tsv) || fail "the apps of rg-$name cannot be read"
        [[ $installed_app != None ]] || installed_app=""
    fi
    [[ -n $location ]] || fail "no region: pass --location" "for example --location westeurope; az account list-locations -o table lists all"
    [[ -n $installed_app ]] || return 0
    az rest --method get --url "$installed_app?api-version=$WEB_API" -o json >"$state/app.json" || fail "the app $installed_app cannot be read"
    az rest --method post --url "$installed_app/config/appsettings/list?api-version=$WEB_API" --query properties -o json >"$state/settings.json" ||
        fail "the settings of $installed_app cannot be read, so they cannot be kept" "you need Microsoft.Web/sites/config/list/action"
    if answer=$(az deployment sub show --name "$name-$location" --query properties.parameters -o json "${az_install[@]}" 2>&1); then
        printf '%s' "$answer" >"$state/last.json"
    elif [[ ! $answer =~ NotFound|not\ found|could\ not\ be\ found ]]; then
        fail "the last deployment cannot be read: $answer"
    fi
}

decide_parameters() {
    local differences answer
    differences=$(python3 infra/parameters.py "$state" "${parameters[@]}") || exit 1
    mapfile -t decided <"$state/decided"
    subscriptions=${decided[0]} management_group=${decided[1]} mode=${decided[2]} backup_guard=${decided[3]} tags=${decided[4]}
    activity_log=${decided[5]} has_policies=${decided[6]} topic_map=${decided[7]} package_uri=${decided[8]} alert_emails=${decided[9]} grants=${decided[10]} revoke=${decided[11]}
    topics=("${decided[@]:12}")
    # The hook continues a deployment that has them.
    [[ -n $alert_emails || $step == after ]] ||
        fail "alertEmails is required: nobody would get the alerts" "pass alertEmails=ADDRESS,ADDRESS, or alertEmails=none if you read them elsewhere"
    [[ -z $subscriptions ]] || subscriptions=$(listed_once "$subscriptions")
    [[ -n $installed_app ]] || return 0
    say "the installation $name exists, in mode $(asked_or_installed)"
    if [[ -z $differences ]]; then
        say "its settings stay as they are"
        return
    fi
    printf 'This changes:\n'
    printf '  %s\n' "${differences//$'\n'/$'\n  '}"
    $is_agreed || [[ $step == what-if ]] && return
    read -rp 'Type yes to continue: ' answer || true
    [[ ${answer:-} == yes ]] || fail "nothing was changed" "without a terminal, pass --yes"
}

asked_or_installed() { sed -n 's/.*"DISKSEAL_MODE": "\([a-z]*\)".*/\1/p' "$state/settings.json"; }

# The tag that stops every write. No template writes it: the resource group is made once.
switch_state() { az group show --name "rg-$name" --query 'tags.diskseal' -o tsv "${az_install[@]}" 2>/dev/null || true; }

keep_switch() {
    [[ $switch_before == off ]] || return 0
    if [[ $(switch_state) == off ]]; then
        say "the switch is off and stays off: nothing is written until the tag diskseal of rg-$name is removed"
        return
    fi
    az tag update --resource-id "/subscriptions/$install/resourceGroups/rg-$name" --operation Merge --tags diskseal=off -o none "${az_install[@]}" ||
        fail "the deployment removed the tag diskseal=off of rg-$name, and it cannot be set again"
    say "the deployment had removed the tag diskseal=off of rg-$name; it is set again"
}

find_subscriptions() {
    [[ -z $management_group ]] || subscriptions=$(below_management_group "$management_group" "| where properties.state =~ 'Enabled' ") || exit 1
    [[ -n $subscriptions ]] || subscriptions=$install
    say "in scope: $(tr ',' '\n' <<<"$subscriptions" | wc -l) subscriptions"
}

# A subscription has one topic at most: creating a second one fails late, with an unclear error. Resource Graph answers
# for a thousand subscriptions at a time.
check_topics() {
    local found topic list part i=0 missing=()
    local query="resources | where type =~ 'microsoft.eventgrid/systemtopics' | where properties.topicType =~ 'Microsoft.Resources.Subscriptions' | where resourceGroup !~ 'rg-$name-events' | project id"
    mapfile -t list < <(tr ',' '\n' <<<"$subscriptions")
    while ((i < ${#list[@]})); do
        part=$(printf ',"%s"' "${list[@]:i:1000}")
        found=$(az rest --method post --url "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01" \
            --body "{\"subscriptions\":[${part#,}],\"query\":\"$query\",\"options\":{\"\$top\":1000,\"resultFormat\":\"objectArray\"}}" --query "data[].id" -o tsv) ||
            fail "the system topics of the subscriptions in scope cannot be read" "you need Reader on them"
        while read -r topic; do
            [[ -z $topic || " ${topics[*],,} " == *" ${topic,,} "* ]] || missing+=("--existing-topic $topic")
        done <<<"$found"
        i=$((i + 1000))
    done
    ((${#missing[@]} == 0)) || fail "${#missing[@]} subscriptions already have a system topic, and each can have only one" "use them:" "${missing[@]}"
}

# shellcheck source=infra/steps.sh
source infra/steps.sh

main() {
    check_tools
    scratch
    installed_app=""
    case $step in
        check) return ;;
        code)
            read_outputs
            deploy_code
            wait_for_function
            return
            ;;
        after)
            [[ -n $location ]] || fail "azd has set no AZURE_LOCATION"
            decide_parameters
            ;;
        *)
            read_installation
            decide_parameters
            ;;
    esac
    find_subscriptions
    check_topics
    if [[ $step == what-if ]]; then
        az deployment sub what-if --name "$name-$location" --location "$location" --template-file infra/main.bicep \
            --parameters "@$state/parameters.json" name="$name" location="$location" subscriptions="$subscriptions" "${az_install[@]}"
        return
    fi
    install_or_update
    say "done, in mode $mode. Roles take up to ten minutes to take effect; then run diskseal doctor"
    [[ $mode == enforce ]] || say "to seal: read diskseal report, then run this again with --mode enforce"
}

main
