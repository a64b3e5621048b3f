//! Each command with each outcome of one resource: the word that is printed and the exit code.

use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    fault::{Fault, Kind, Refusal},
};
use futures::{StreamExt, stream};
use serde_json::json;

use super::{commands::command, disk, line_of};

const GROUP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app";
const UNSEAL: &str = "unseal --yes --exempt-tag keep --until 2999-12-31 --reason INC-1 ID";

/// What a command works on, and what is said and done about it.
struct Case {
    command: &'static str,
    prepare: fn(&Emulator),
    out: &'static str,
    code: i32,
}

fn bare(azure: &Emulator) {
    azure.insert(&disk("d"), &disk_body("westeurope")).unwrap();
}

fn sealed(azure: &Emulator) {
    let mut body = disk_body("westeurope");
    body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
    body["tags"] =
        json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z"});
    azure.insert(&disk("d"), &body).unwrap();
}

fn unsealed(azure: &Emulator) {
    let mut body = disk_body("westeurope");
    body["properties"]["dataAccessAuthMode"] = json!("None");
    body["tags"] = json!({"keep": "until=2999-12-31; INC-1"});
    azure.insert(&disk("d"), &body).unwrap();
}

/// In a listing, and deleted before it is looked at.
fn deleted_meanwhile(azure: &Emulator) {
    bare(azure);
    azure.inject(Fault::refuse(Refusal::resource_not_found()).on(Kind::Get).always());
}

fn busy(azure: &Emulator) {
    bare(azure);
    azure.set_property(&disk("d"), "provisioningState", json!("Updating"));
}

fn locked(azure: &Emulator) {
    sealed(azure);
    azure.set_property(&disk("d"), "dataAccessAuthMode", json!("None"));
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::TagsWrite).always());
}

fn switched_off(azure: &Emulator) {
    bare(azure);
    azure.set_scope_tag(GROUP, "diskseal", "off");
}

fn protected(azure: &Emulator) {
    bare(azure);
    let machine = disk("vm").replace("disks", "virtualMachines");
    azure.attach(&disk("d"), &machine);
    let vault = disk("v").replace("Microsoft.Compute/disks", "Microsoft.RecoveryServices/vaults");
    azure.protect(&machine, &vault, Protection::Backup);
}

fn signed_out(azure: &Emulator) {
    bare(azure);
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Token).always());
}

fn down(azure: &Emulator) {
    bare(azure);
    azure.inject(Fault::html(200).on(Kind::Get).always());
}

fn nothing(_: &Emulator) {}

fn case(command: &'static str, prepare: fn(&Emulator), out: &'static str, code: i32) -> Case {
    Case { command, prepare, out, code }
}

fn cases() -> Vec<Case> {
    vec![
        case("seal ID", bare, "<sealed>\n", 0),
        case("seal ID", sealed, "<already sealed>\n", 0),
        case("seal --exempt-names d ID", bare, "<exempt>: its name matches \"d\"\n", 0),
        case("seal --mode audit ID", bare, "<would seal>\n", 1),
        case(
            "seal --switch GROUP ID",
            switched_off,
            "<switched off>: the tag diskseal=off stops every write\n",
            1,
        ),
        case("seal ID", protected, "<protected>: /subscriptions/", 1),
        case("seal ID", busy, "<not yet>: it is being created or changed\n", 1),
        case("seal ID", locked, "<not sealed>: setting dataAccessAuthMode failed: 409 ScopeLocked", 1),
        case("seal ID", nothing, "<not found>\n", 1),
        case("seal no-id", nothing, "", 2),
        case("seal ID", down, "<failed>: ", 3),
        case("seal ID", signed_out, "", 3),
        case(UNSEAL, sealed, "<unsealed>\n", 0),
        case(UNSEAL, unsealed, "<already unsealed>\n", 0),
        case(
            "unseal --mode audit --yes --exempt-tag keep --until 2999-12-31 --reason x ID",
            sealed,
            "<would unseal>\n",
            1,
        ),
        case(UNSEAL, busy, "<not yet>: it is being created or changed\n", 1),
        case(UNSEAL, nothing, "<not found>\n", 1),
        case("unseal --yes --until 2999-12-31 --reason INC-1 ID", sealed, "", 2),
        case(UNSEAL, down, "<failed>: ", 3),
        case("sweep", bare, "<sealed>\n1 sealed.\n", 0),
        case("sweep", nothing, "Nothing to seal.\n", 0),
        case("sweep --exact", sealed, "Nothing to seal: 1 sealed.\n", 0),
        case("sweep --exempt-names d", bare, "Nothing to seal: 1 exempt.\n", 0),
        case("sweep", deleted_meanwhile, "<gone>\n1 gone.\n", 0),
        case(
            "sweep --mode audit",
            bare,
            "<would seal>\nAudit mode: 1 would be sealed. Nothing was written.\n",
            1,
        ),
        case("sweep --switch GROUP", switched_off, "", 1),
        case("sweep", protected, "<protected>: ", 1),
        case("sweep", busy, "<not yet>: it is being created or changed\nNothing was sealed: 1 not yet.\n", 1),
        case("sweep", locked, "<not sealed>: ", 1),
        case("sweep --max-percent 0", bare, "", 2),
        case("sweep", down, "<failed>: ", 3),
        case("sweep", signed_out, "", 3),
        case("sweep --dry-run", bare, "<would seal>\nDry run: 1 would be sealed. Nothing was written.\n", 0),
        case("sweep --dry-run", busy, "<not yet>: ", 0),
        case("sweep --dry-run", signed_out, "", 3),
    ]
}

fn cases_of_policy() -> Vec<Case> {
    vec![
        case(
            "policy check ID",
            sealed,
            "NAME  KIND  GROUP   OUTCOME         REASON  WHY\nd     disk  rg-app  already sealed  sealed  it has the auth mode",
            0,
        ),
        case(
            "policy check --exempt-names d ID",
            bare,
            "NAME  KIND  GROUP   OUTCOME  REASON  WHY\nd     disk  rg-app  exempt   name    its name matches \"d\"\n",
            0,
        ),
        case(
            "policy check ID",
            bare,
            "NAME  KIND  GROUP   OUTCOME     REASON     WHY\nd     disk  rg-app  would seal  auth_mode  missing: ",
            1,
        ),
        case(
            "policy check --mode audit ID",
            bare,
            "NAME  KIND  GROUP   OUTCOME     REASON     WHY\nd     disk  rg-app  would seal  auth_mode  missing: ",
            1,
        ),
        case(
            "policy check ID",
            busy,
            "NAME  KIND  GROUP   OUTCOME  REASON        WHY\nd     disk  rg-app  not yet  provisioning  it is being created or changed\n",
            1,
        ),
        case(
            "policy check ID",
            nothing,
            "NAME  KIND  GROUP   OUTCOME    REASON     WHY\nd     disk  rg-app  not found  not_found  it does not exist\n",
            1,
        ),
        case("policy check no-id", nothing, "", 2),
        case("policy check ID", down, "NAME  KIND  GROUP   OUTCOME  REASON", 3),
    ]
}

#[tokio::test]
async fn each_command_has_one_exit_code_for_each_outcome() {
    let run = |Case { command: line, prepare, out, code }| async move {
        let azure = Emulator::new(Options::immediate());
        let serving = azure.serve().await.unwrap();
        prepare(&azure);
        let id = disk("d");
        // The words of a table's head are no placeholders, and `<word>` stands for the beginning of a line about the disk.
        let is_table = out.starts_with("NAME ");
        let fill = |text: &str| {
            if is_table {
                return text.to_owned();
            }
            let text = text.replace("GROUP", GROUP).replace("ID", &id);
            match text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((word, rest)) => line_of(word, &id) + rest,
                None => text,
            }
        };
        let arguments: Vec<String> = line
            .split(' ')
            .map(|word| if word == "ID" { id.clone() } else { word.replace("GROUP", GROUP) })
            .collect();
        let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (actual, printed, err) = command(&serving, &given, "").await;
        let is_as_said = printed.starts_with(&fill(out)) && printed.is_empty() == out.is_empty();
        let is_right = actual == Some(code) && is_as_said;
        (!is_right).then(|| format!("{line}: {code} {out:?}, but {actual:?} {printed:?} {err:?}"))
    };
    let faults: Vec<_> = stream::iter(cases().into_iter().chain(cases_of_policy()))
        .map(run)
        .buffer_unordered(4)
        .filter_map(async |fault| fault)
        .collect()
        .await;
    assert!(faults.is_empty(), "{faults:#?}");
}
