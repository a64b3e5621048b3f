# shellcheck shell=bash disable=SC2034
# The installing subscription and the subscriptions in scope, for deploy.sh and remove.sh.

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "error: this needs bash 4.4 or newer: brew install bash on macOS, or run it in Azure Cloud Shell" >&2
    exit 1
fi

say() { printf '→ %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [[ $# -lt 2 ]] || printf '       %s\n' "${@:2}" >&2
    exit 1
}

# Sets $install, the subscription of the installation, which every call names: that of azd or Terraform, which have one
# of their own, else the Azure CLI's.
find_installing_subscription() { # PREFERRED
    command -v az >/dev/null || fail "the Azure CLI is not installed" "https://learn.microsoft.com/cli/azure/install-azure-cli"
    install=$(az account show --query id -o tsv 2>/dev/null) ||
        fail "the Azure CLI is not signed in" "run az login, then az account set --subscription ID to choose the subscription to install into"
    [[ -z $1 ]] || install=$1
    az_install=(--subscription "$install")
}

# One subscription a comma, each once. An empty element would be the installing subscription to Azure.
listed_once() { # SUBSCRIPTIONS
    local list=${1// /}
    [[ ,$list, != *,,* ]] || fail "the list of subscriptions has an empty element: $1" "separate the IDs by one comma each"
    tr ',' '\n' <<<"${list,,}" | awk '!seen[$0]++' | paste -sd, -
}

# Prints the subscriptions below a management group. Resource Graph answers a thousand at a time.
below_management_group() { # GROUP CONDITION
    local query="resourcecontainers | where type =~ 'microsoft.resources/subscriptions' $2| project subscriptionId | order by subscriptionId asc"
    local page token="" all=""
    while :; do
        page=$(az rest --method post --url "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01" \
            --body "{\"managementGroups\":[\"$1\"],\"query\":\"$query\",\"options\":{\"\$top\":1000,\"resultFormat\":\"objectArray\"${token:+,\"\$skipToken\":\"$token\"}}}" \
            --query "[join(',', data[].subscriptionId), \"\$skipToken\" || '']" -o tsv) ||
            fail "the subscriptions below the management group $1 cannot be read" "you need Reader on it: az account management-group show -n $1"
        page=$(tr '\t' '\n' <<<"$page")
        all+=${all:+,}$(sed -n 1p <<<"$page")
        token=$(sed -n 2p <<<"$page")
        [[ -n $token && $token != None ]] || break
    done
    [[ -n $all ]] || fail "no enabled subscription is below the management group $1"
    printf '%s\n' "$all"
}
