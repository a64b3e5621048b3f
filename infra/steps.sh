# shellcheck shell=bash disable=SC2034,SC2154
# The steps of a deployment, for deploy.sh.

# Azure's errors while a new identity, role or function is still spreading.
readonly TOO_EARLY='PrincipalNotFound|RoleDefinitionDoesNotExist|LinkedAuthorizationFailed|AuthorizationFailed|Destination endpoint not found|DeploymentActive'
# Those of a new app: its role on the storage is not in effect, its host starts, its name is new, another deployment runs.
readonly NOT_READY='403|Forbidden|AuthorizationPermissionMismatch|AuthorizationFailure|404|409|Conflict|50[0-9]|NameResolution|Name or service not known|getaddrinfo|Max retries exceeded|timed out|Connection'
readonly MISSING='ResourceGroupNotFound|SubscriptionNotFound'

pause() { sleep "${DISKSEAL_RETRY_SECONDS:-30}"; }

deploy() { # SCOPE NAME ARGUMENTS...
    local scope=$1 deployment=$2 attempt answer
    for attempt in 1 2 3 4 5; do
        if answer=$(az deployment "$scope" create --name "$deployment" --location "$location" "${@:3}" -o none "${az_install[@]}" 2>&1); then
            return
        fi
        [[ $attempt -lt 5 && $answer =~ $TOO_EARLY ]] || break
        say "a new identity, role or function is not known everywhere in Azure yet; retrying in ${DISKSEAL_RETRY_SECONDS:-30} s"
        pause
    done
    printf '%s\n' "$answer" >&2
    fail "the deployment $deployment failed" \
        "az deployment operation $scope list --name $deployment --query \"[?properties.provisioningState=='Failed'].properties.statusMessage\"" \
        "if the region has no capacity for instances of 512 MB, pass instanceMemory=2048"
}

infrastructure() { # COMMAND
    az deployment sub "$1" --name "$name-$location" --location "$location" --template-file infra/main.bicep \
        --parameters "@$state/parameters.json" name="$name" location="$location" subscriptions="$subscriptions" -o none "${az_install[@]}"
}

deploy_infrastructure() {
    say "infrastructure"
    deploy sub "$name-$location" --template-file infra/main.bicep \
        --parameters "@$state/parameters.json" name="$name" location="$location" subscriptions="$subscriptions"
}

# What an update would be refused for, before its first step.
validate_infrastructure() {
    local answer
    answer=$(infrastructure validate 2>&1) || {
        printf '%s\n' "$answer" >&2
        fail "Azure would refuse the deployment, so nothing was changed"
    }
}

read_outputs() {
    local names=(resourceGroupName functionAppName functionAppId storageAccountId deadLetterContainer deadLetterIdentityId hostPrincipalId hostClientId workspaceId) one
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
    mapfile -t values < <(az deployment sub show --name "$name-$location" --query "[${query%,}]" -o tsv "${az_install[@]}" | tr '\t' '\n')
    [[ ${#values[@]} -eq ${#names[@]} ]] || fail "the deployment $name-$location lacks outputs that this script needs"
    local i
    for i in "${!names[@]}"; do
        printf -v "${names[i]}" %s "${values[i]}"
    done
}

assign_at_management_group() {
    [[ -n $management_group ]] || return 0
    say "role at the management group $management_group"
    deploy mg "$name-$location" --management-group-id "$management_group" --template-file infra/role-management-group.bicep \
        --parameters name="$name" principalId="$hostPrincipalId" includeBackupGuard="$([[ $backup_guard == off ]] && echo false || echo true)" includeRevoke="$revoke"
}

# A release, as its workflow built and attested it.
download_release() {
    local repository folder=dist/$version
    repository=$(sed -n 's/^repository *= *"\(https:\/\/github\.com\/[^"]*\)".*/\1/p' Cargo.toml)
    repository=${repository%/}
    [[ -n $repository ]] || fail "Cargo.toml names no repository to download $version from" "download the release yourself, and pass --package FILE"
    command -v gh >/dev/null || fail "gh, the GitHub CLI, is not installed, and verifies the release's attestation" "https://cli.github.com, or download the release yourself and pass --package FILE"
    say "release $version of $repository"
    mkdir -p "$folder"
    local file
    for file in "$ZIP" SHA256SUMS; do
        curl -fsSL --retry 3 -o "$folder/$file" "$repository/releases/download/$version/$file" || fail "$file of the release $version cannot be downloaded"
    done
    (cd "$folder" && grep -F " $ZIP" SHA256SUMS | sha256sum --check --strict --status) || fail "$folder/$ZIP is not the file that SHA256SUMS lists"
    gh attestation verify "$folder/$ZIP" --repo "${repository#https://github.com/}" >/dev/null || fail "the attestation of $folder/$ZIP does not hold: it was not built by the release workflow of $repository"
    package=$folder/$ZIP
}

find_package() {
    [[ -z $version ]] || download_release
    if [[ ! -f $package ]]; then
        [[ $package == "dist/$ZIP" ]] || fail "the package $package does not exist"
        say "package"
        infra/package.sh
    fi
}

deploy_code() {
    find_package
    say "code: $package"
    local attempt answer subscription=${functionAppId#/subscriptions/}
    subscription=${subscription%%/*}
    for attempt in {1..25}; do
        if answer=$(az functionapp deployment source config-zip --resource-group "$resourceGroupName" --name "$functionAppName" --src "$package" -o none --subscription "$subscription" 2>&1); then
            return
        fi
        # The Azure CLI looks at the host after the upload, which cannot start before its role on the storage holds.
        if [[ $answer =~ Deployment\ was\ successful|Failed\ to\ fetch\ host\ key|appears\ to\ be\ unhealthy ]]; then
            say "the code is there; its host has not started yet"
            return
        fi
        [[ $attempt -lt 25 && $answer =~ $NOT_READY && ! $answer =~ $MISSING ]] || break
        say "the app cannot take the code yet: its role on the storage takes up to ten minutes, and its host starts; retrying in ${DISKSEAL_RETRY_SECONDS:-30} s"
        pause
    done
    printf '%s\n' "$answer" >&2
    fail "deploying the code failed" "az functionapp log deployment show -g $resourceGroupName -n $functionAppName"
}

# The host has to start once, with its role in effect. One Deploy syncs the triggers; a sync that comes too early is
# refused, so it is repeated here.
wait_for_function() {
    local attempt answer="" refused=""
    say "waiting for the function $FUNCTION"
    for attempt in {1..150}; do
        if az rest --method get --url "$functionAppId/functions/$FUNCTION?api-version=$WEB_API" -o none 2>/dev/null; then
            return
        fi
        answer=$(az rest --method post --url "$functionAppId/syncfunctiontriggers?api-version=$WEB_API" -o none 2>&1) || refused=$answer
        ((attempt % 12)) || say "the host has not started yet; a new role takes up to ten minutes to hold"
        [[ $attempt -eq 150 ]] || sleep "${DISKSEAL_WAIT_SECONDS:-5}"
    done
    [[ -z $refused ]] || printf '%s\n' "$refused" >&2
    fail "the function $FUNCTION does not exist: the Functions host could not start, or found no function.json" \
        "az functionapp function list -g $resourceGroupName -n $functionAppName -o table" \
        "the first lines of the log show why: az monitor app-insights query --app appi-$name -g $resourceGroupName --analytics-query 'traces | order by timestamp desc | take 50'"
}

# A topic that someone else created needs the identity that writes dead letters, in addition to those that it has: the
# body names all of them, because whether PATCH merges the map is not documented.
add_identity() {
    local topic=$1 body attempt progress answer
    answer=$(az rest --method get --url "$topic?api-version=$TOPIC_API" --query "identity || \`{}\`" -o json) ||
        fail "the system topic $topic cannot be read" "check the ID; az eventgrid system-topic list -o table"
    body=$(python3 -c '
import json, sys
identity, ours = json.loads(sys.argv[1] or "{}"), sys.argv[2]
kind = "SystemAssigned, UserAssigned" if "SystemAssigned" in (identity.get("type") or "") else "UserAssigned"
names = {name: {} for name in identity.get("userAssignedIdentities") or {}}
if ours.lower() not in {name.lower() for name in names}:
    names[ours] = {}
    print(json.dumps({"identity": {"type": kind, "userAssignedIdentities": names}}))' "$answer" "$deadLetterIdentityId")
    [[ -n $body ]] || return 0
    az rest --method patch --url "$topic?api-version=$TOPIC_API" -o none --body "$body" ||
        fail "the identity for dead letters could not be added to the system topic $topic" "a topic has two user-assigned identities at most"
    # The answer to PATCH comes before its end.
    for attempt in {1..60}; do
        progress=$(az rest --method get --url "$topic?api-version=$TOPIC_API" --query properties.provisioningState -o tsv) || true
        case $progress in
            Succeeded) return ;;
            Failed | Canceled) break ;;
        esac
        [[ $attempt -eq 60 ]] || sleep "${DISKSEAL_WAIT_SECONDS:-5}"
    done
    fail "the system topic $topic did not take the identity for dead letters: ${progress:-unknown state}"
}

deploy_events() {
    local topic part i=0 list
    for topic in "${topics[@]}"; do add_identity "$topic"; done
    say "event subscriptions"
    # Resource Manager takes 800 subscriptions in a deployment; each has four resources.
    mapfile -t list < <(tr ',' '\n' <<<"$subscriptions")
    while ((i < ${#list[@]})); do
        part=$(IFS=,; printf '%s' "${list[*]:i:200}")
        deploy sub "$name-events-$location$( ((i == 0)) || printf -- '-%s' $((i / 200)))" --template-file infra/events.bicep --parameters name="$name" location="$location" \
            subscriptions="$part" existingTopics="$topic_map" functionAppId="$functionAppId" deadLetterIdentityId="$deadLetterIdentityId" \
            storageAccountId="$storageAccountId" deadLetterContainer="$deadLetterContainer" handlerClientId="$hostClientId" workspaceId="$workspaceId" \
            sendActivityLog="$activity_log" grants="$grants" tags="$tags"
        i=$((i + 200))
    done
}

# A policy that enforced before must not go on in audit mode.
stop_remediations() {
    [[ $has_policies == true && -n ${installed_app:-} ]] && [[ $mode != enforce || $backup_guard != off ]] || return 0
    local id policy
    for id in ${subscriptions//,/ }; do
        for policy in disks snapshots; do
            az rest --method post --url "/subscriptions/$id/providers/Microsoft.PolicyInsights/remediations/$name-$policy/cancel?api-version=2021-10-01" -o none 2>/dev/null || true
        done
    done
}

install_or_update() {
    switch_before=$(switch_state)
    if [[ $step == after ]]; then
        read_outputs
    else
        if [[ -n $installed_app && -z $package_uri ]] && ! $is_rollback; then
            # New code knows the old settings, and old code need not know the new ones. If this fails, the old pair runs on.
            find_package
            validate_infrastructure
            resourceGroupName=rg-$name functionAppName=${installed_app##*/} functionAppId=$installed_app
            deploy_code
            wait_for_function
        fi
        deploy_infrastructure
        keep_switch
        read_outputs
    fi
    assign_at_management_group
    # With an address, Resource Manager has deployed the code.
    [[ -n $package_uri ]] || { [[ -n ${installed_app:-} ]] && ! $is_rollback; } || deploy_code
    wait_for_function
    deploy_events
    stop_remediations
}
