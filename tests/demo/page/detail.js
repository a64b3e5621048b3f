// What is known of the selected resource: its story in one sentence, its facts, its tags, and what can be done with it.

import { element, human, redraw } from "./element.js";

const MODES = { AzureActiveDirectory: "Entra ID", None: "none" };
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export const at = (id) => document.getElementById(id);
export const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

function ageOf(resource) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(resource.created)) / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}

/** How long a resource was open, or is. */
export function sealedAfter(resource) {
  if (resource.sealedAfterMs === 0) return "sealed at creation";
  if (resource.sealedAfterMs !== null) return human(resource.sealedAfterMs);
  return ["unsealed", "pending", "given up"].includes(resource.outcome) && !hasMode(resource) ? `unsealed for ${ageOf(resource)}` : "–";
}

const hasMode = ({ mode }) => mode === "AzureActiveDirectory";

/** One sentence: what happened, and where to look next. */
function guidance(resource, lock) {
  const why = resource.reason ? ` (${resource.reason})` : "";
  switch (resource.outcome) {
    case "sealed": return resource.sealedAfterMs === 0 ? "It was created with the seal, so the handler only read it."
      : "It is sealed. In the trace below, each bar is a request or a wait: the longest one is where the time went.";
    case "exempt": return "It is exempt by its tag or its resource group: the handler leaves it as it is.";
    case "would seal": return "Audit mode: the handler would seal it, and writes nothing.";
    case "tags missing": return "The mode is set, so a SAS URL alone gives no access; only the tags are missing.";
    case "pending": return lock ? `It waits in the queue${why}. Unlock it, and the next try seals it.` : `It waits in the queue${why}, which tries again with growing pauses.`;
    case "given up": return `The queue has used up its tries${why}: the message is in the poison queue. ${lock ? "Unlock it, then run" : "Run"} a sweep to seal it.`;
    default: return "It is not sealed yet. A trace appears once the handler has looked at it.";
  }
}

function tags(title, list) {
  const entries = Object.entries(list);
  if (!entries.length) return null;
  const summary = `${entries.length} ${title} ${entries.length === 1 ? "tag" : "tags"}`;
  return element("details", {}, element("summary", {}, summary),
    element("ul", { className: "tags" }, ...entries.map(([name, value]) => element("li", {}, `${name} = ${value}`))));
}

function fact(name, value) {
  return value ? element("div", {}, element("dt", {}, name), element("dd", { data: { fact: name } }, value)) : null;
}

function facts(resource, lock) {
  const [provisioning, disk] = resource.state;
  const machine = resource.attachedTo?.split("/").pop();
  const outcome = resource.reason ? `${resource.outcome}: ${resource.reason}` : resource.outcome;
  return [
    element("p", { className: "guidance" }, guidance(resource, lock)),
    element("dl", {},
      fact("Outcome", outcome),
      fact("Mode", MODES[resource.mode] ?? resource.mode ?? "none"),
      fact("State", [provisioning, disk].filter(Boolean).join(", ")),
      fact("Attached to", machine),
      fact("Created by", resource.by),
      fact("Scenario", resource.scenario),
      fact("Created", time.format(new Date(resource.created))),
      fact("Resource group", resource.group),
      fact("Subscription", resource.subscription)),
    tags("seal", resource.tags), tags("other", resource.otherTags),
  ].filter(Boolean);
}

/** A button for an action on a resource. */
function changeButton(resource, label, message, act, send) {
  const button = element("button", { type: "button", aria: { label: `${label}: ${resource.name}` } }, label);
  button.addEventListener("click", () => isBusy(button) || act(button, () => message, send));
  return button;
}

function changes(resource, lock, act, ask) {
  const { id, name } = resource;
  const change = (action) => () => ask("POST", "change", { action, id });
  const all = [lock
    ? changeButton(resource, "Unlock", `Unlocked ${name}.`, act, () => ask("DELETE", `faults/${lock.id}`))
    : changeButton(resource, "Lock", `Locked ${name}: writes are refused until you unlock it.`, act, () => ask("POST", "faults", {
      action: { refuse: "scopeLocked" }, kind: ["put", "patch", "delete", "tagsWrite"], resource: id, times: "always",
    }))];
  if (resource.kind === "disk") {
    all.push(resource.attachedTo
      ? changeButton(resource, "Detach", `Detached ${name}.`, act, change("detach"))
      : changeButton(resource, "Attach", `Attached ${name} to a virtual machine.`, act, change("attach")));
  }
  if (hasMode(resource)) all.push(changeButton(resource, "Undo the mode", `Undid the mode of ${name}, as Jane. Its event leads to another seal.`, act, change("undo")));
  all.push(changeButton(resource, "Delete", `Deleted ${name}.`, act, change("delete")));
  return all;
}

/** Shows the selected resource. Open lists of tags and the focus stay. */
export function showDetail(resource, lock, act, ask) {
  at("detail-heading").textContent = resource ? resource.name : "Resource";
  at("hint").hidden = Boolean(resource);
  const open = [...at("facts").querySelectorAll("details[open] summary")].map((one) => one.textContent.replace(/^\d+ /, ""));
  const focused = at("facts").contains(document.activeElement) ? document.activeElement.textContent.replace(/^\d+ /, "") : null;
  const { traces, ...own } = resource ?? {};
  if (redraw(at("facts"), [own, lock?.id], () => (resource ? facts(resource, lock) : []))) {
    for (const summary of at("facts").querySelectorAll("summary")) {
      const kind = summary.textContent.replace(/^\d+ /, "");
      summary.parentElement.open = open.includes(kind);
      if (kind === focused) summary.focus();
    }
  }
  const label = at("changes").contains(document.activeElement) ? [...at("changes").children].indexOf(document.activeElement) : -1;
  const state = resource && [resource.id, resource.kind, hasMode(resource), Boolean(resource.attachedTo), lock?.id];
  if (redraw(at("changes"), state ?? null, () => (resource ? changes(resource, lock, act, ask) : []))) at("changes").children[label]?.focus();
}
