// Checks the page of `cargo demo --keep` in a browser.

import { once } from "node:events";
import { createServer } from "node:http";
import { audit, check, conclude, DESKTOP, launch, overflow, PHONE, same, watched } from "./browser.js";
import { exportSpans } from "./otlp.js";
import { play } from "./playground.js";

const [binaries, folder] = process.argv.slice(2);
const HOSTILE = "<script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'>";
/** Sealing takes seconds. The timeout allows for a busy machine. */
const PATIENCE = 60_000;

let azure = await play(binaries);
const browser = await launch();
const ask = async (path, method = "GET", body = undefined) => {
  const answer = await fetch(azure.page + path, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
};
const open = async (options = {}, hash = "") => {
  const opened = await watched(browser, options);
  opened.page.setDefaultTimeout(PATIENCE);
  await opened.page.goto(azure.page + hash);
  return opened;
};

const { page, faults, requests } = await open();
const row = (name) => page.locator("#list tbody tr").filter({ has: page.getByRole("button", { name, exact: true }) });
const standing = page.locator("#standing");
const until = (name, outcome) => row(name).and(page.locator(`[data-outcome="${outcome}"]`)).waitFor();
const create = async (name, kind = "disk") => {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: `Create ${kind}` }).click();
  await row(name).waitFor();
};
const fact = (name) => page.locator(`#facts [data-fact="${name}"]`);
/** Presses a button of the selected resource. */
const change = (label) => page.locator("#changes").getByRole("button", { name: label, exact: true }).click();
const shownTrace = () => page.locator("#waterfall").getAttribute("data-trace");
/** Waits until the waterfall has a span with this name. Returns the spans of the trace in the collector. */
const traceWith = async (name) => {
  await page.locator("#waterfall .span .name").getByText(name, { exact: true }).first().waitFor();
  return ask(`spans?trace=${await shownTrace()}`);
};

await check("the page lists the resources of Resource Manager", async () => {
  await until("sql-data-01", "sealed");
  await page.evaluate(() => { window.notReloaded = true; });
  const names = (await ask("resources")).map((resource) => resource.name).sort();
  const found = await page.locator("#list .pick").allTextContents();
  const outcome = (name) => row(name).getAttribute("data-outcome");
  return same([found.sort(), await outcome("scratch-7"), await outcome("forensics-copy")], [names, "exempt", "exempt"]);
});
await check("the page shows that the handlers are running, with their pids", async () =>
  /^Live\. A handler is running for each group of functions: http \(pid \d+\), function:seal_queued \(pid \d+\), function:sweep \(pid \d+\)\.$/.test(await standing.textContent()) || standing.textContent());

await check("a disk created by a button becomes sealed, live", async () => {
  await create("my-disk-1");
  await until("my-disk-1", "unsealed");
  await until("my-disk-1", "sealed");
  const { tags, properties } = (await ask("resources")).find(({ name }) => name === "my-disk-1");
  const text = async (label) => (await row("my-disk-1").locator(`[data-label="${label}"]`).textContent()).trim();
  const shown = await page.locator("#facts .tags li").allTextContents();
  // The time comes from another record than the state, a moment later.
  await row("my-disk-1").locator('[data-label="Sealed after"]').getByText(/s$/).waitFor();
  const [message, after] = [await page.locator("#message").textContent(), await text("Sealed after")];
  return same(
    [message, properties.dataAccessAuthMode, await fact("Mode").textContent(), shown, /^[\d.]+ m?s$/.test(after), await page.evaluate(() => window.notReloaded)],
    ["Created disk my-disk-1.", "AzureActiveDirectory", "Entra ID", Object.entries(tags).map((pair) => pair.join(" = ")), true, true]);
});

await check("the trace has every span under its parent", async () => {
  const spans = await traceWith("seal_on_write");
  const found = await page.locator("#waterfall li[data-span]").evaluateAll((items) => items.map((item) =>
    [item.dataset.span, item.parentElement.closest("li")?.dataset.span ?? null]));
  const known = new Set(spans.map(({ spanId }) => spanId));
  const expected = spans.map(({ spanId, parentSpanId }) => [spanId, known.has(parentSpanId) ? parentSpanId : null]);
  const names = await page.locator("#waterfall .span .name").allTextContents();
  const writes = ["seal_on_write", "enforce", "PATCH …/disks/{name}", "PATCH …/tags/default"].filter((name) => !names.includes(name));
  return same([found.sort(), writes], [expected.sort(), []]);
});
await check("bars match the start and duration of their spans, on one axis", async () => {
  const spans = await ask(`spans?trace=${await shownTrace()}`);
  const start = Math.min(...spans.map(({ startUnixNano }) => startUnixNano));
  const whole = Math.max(...spans.map(({ endUnixNano }) => endUnixNano)) - start;
  const bars = await page.locator("#waterfall li[data-span]").evaluateAll((items) => items.map((item) => {
    const box = (one) => one.getBoundingClientRect();
    const [track, bar] = [box(item.querySelector(".track")), box(item.querySelector(".bar"))];
    return { id: item.dataset.span, track: [track.left, track.width], left: bar.left - track.left, width: bar.width };
  }));
  const [left, width] = bars[0].track;
  const wrong = bars.filter(({ id, track, ...bar }) => {
    const { startUnixNano, endUnixNano } = spans.find(({ spanId }) => spanId === id);
    const [wantedLeft, wanted] = [((startUnixNano - start) / whole) * width, ((endUnixNano - startUnixNano) / whole) * width];
    const fits = (found, expected) => Math.abs(found - expected) < 1;
    return !(fits(track[0], left) && fits(track[1], width) && fits(bar.left, wantedLeft) && fits(bar.width, Math.max(wanted, 2)));
  });
  return bars.length === spans.length && width > 200 ? same(wrong, []) : { bars: bars.length, spans: spans.length, width };
});
await check("a span opens with all its attributes, from the keyboard", async () => {
  await page.locator("#waterfall .span").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const item = page.locator("#waterfall li[data-span]").filter({ has: page.locator(":focus") }).last();
  const id = await item.getAttribute("data-span");
  const { name, attributes } = (await ask(`spans?trace=${await shownTrace()}`)).find(({ spanId }) => spanId === id);
  const list = item.locator(":scope > .details > div").filter({ has: page.getByRole("heading", { name: "Attributes" }) });
  const found = await list.locator("dl > div").evaluateAll((pairs) => pairs.map((pair) => [...pair.children].map((one) => one.textContent)));
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const expected = Object.entries(attributes).map(([key, value]) => [key, text(value)]);
  return same([name, await page.locator(":focus").getAttribute("aria-expanded"), found], ["enforce", "true", expected]);
});
await check("open spans and the focus stay while other resources change", async () => {
  await ask("create", "POST", { kind: "snapshot", name: "their-snapshot" });
  await until("their-snapshot", "sealed");
  const focused = await page.locator(":focus").evaluate((one) => [one.className, one.getAttribute("aria-expanded")]);
  await row("sql-data-01").getByRole("button", { name: "sql-data-01", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Traces of sql-data-01" }).waitFor();
  return same([focused, await page.locator(":focus").textContent()], [["span", "true"], "sql-data-01"]);
});

await check("a throttled write is marked in the trace, and retried", async () => {
  await page.getByRole("button", { name: "Throttle the next seal" }).click();
  await page.locator("#message").getByText("429").waitFor();
  await create("throttled", "disk");
  await until("throttled", "sealed");
  await traceWith("PATCH …/tags/default");
  const marked = await page.locator("#waterfall [data-status=error] > .head .result").allTextContents();
  const [good, bad] = await page.evaluate(() => ["unset", "error"].map((status) =>
    getComputedStyle(document.querySelector(`#waterfall li[data-status=${status}][data-sort=request] > .head .bar`)).backgroundColor));
  const again = await page.locator("#waterfall .result").getByText("resend 1").count();
  return same([marked, again, good !== bad], [["error, 429"], 1, true]);
});
await check("a locked disk is pending with the reason, and is sealed after it is unlocked", async () => {
  const held = await ask("faults", "POST", { action: "hold", kind: "get", resource: "locked-disk" });
  await create("locked-disk");
  await change("Lock: locked-disk");
  await page.getByRole("button", { name: "Unlock: locked-disk" }).waitFor();
  await ask(`faults/${held.id}/release`, "POST");
  await until("locked-disk", "pending");
  const reason = await row("locked-disk").locator(".reason").textContent();
  await change("Unlock: locked-disk");
  await until("locked-disk", "sealed");
  return same(reason, "locked");
});
await check("every disk has its story: who made it, what is special, and one sentence", async () => {
  const told = {};
  for (const name of ["erp-legacy", "golden-image", "scratch-7"]) {
    await row(name).locator(".pick").click();
    await page.locator("#detail-heading").getByText(name, { exact: true }).waitFor();
    told[name] = [await fact("Created by").textContent(), await fact("Scenario").textContent(), await page.locator("#facts .guidance").textContent()];
  }
  return same(told, {
    "erp-legacy": ["Jane", "locked for a while", "It is sealed. In the trace below, each bar is a request or a wait: the longest one is where the time went."],
    "golden-image": ["Terraform", "created with the seal", "It was created with the seal, so the handler only read it."],
    "scratch-7": ["Omar", "in an exempt group", "It is exempt by its tag or its resource group: the handler leaves it as it is."],
  });
});
await check("tags are folded, and stay open while the page changes", async () => {
  await row("etl-cache").locator(".pick").click();
  const summaries = page.locator("#facts summary");
  await summaries.getByText("1 other tag").waitFor();
  const folded = await page.locator("#facts .tags li").first().isVisible();
  await summaries.getByText("3 seal tags").click();
  await change("Attach: etl-cache");
  await fact("Attached to").getByText("vm-play").waitFor();
  const open = await page.locator("#facts .tags li").first().isVisible();
  await change("Detach: etl-cache");
  await fact("Attached to").waitFor({ state: "detached" });
  return same([folded, open], [false, true]);
});
await check("a seal that is undone is seen, and sealed again", async () => {
  const held = await ask("faults", "POST", { action: "hold", kind: "get", resource: "etl-cache" });
  await change("Undo the mode: etl-cache");
  await until("etl-cache", "unsealed");
  await row("etl-cache").locator(".after").getByText("unsealed for").waitFor();
  await ask(`faults/${held.id}/release`, "POST");
  await until("etl-cache", "sealed");
});
await check("what the queue gives up is not shown as waiting, and a sweep seals it", async () => {
  const held = await ask("faults", "POST", { action: "hold", kind: "get", resource: "stuck" });
  await create("stuck");
  await change("Lock: stuck");
  await page.getByRole("button", { name: "Unlock: stuck" }).waitFor();
  await ask(`faults/${held.id}/release`, "POST");
  await until("stuck", "given up");
  const guidance = await page.locator("#facts .guidance").textContent();
  const queues = await ask("queue");
  const poisoned = queues["diskseal-pending-poison"].filter(({ content }) => content.resource?.endsWith("/stuck")).length;
  await change("Unlock: stuck");
  await page.getByRole("button", { name: "Lock: stuck", exact: true }).waitFor();
  await page.getByRole("button", { name: "Run a sweep" }).click();
  await page.locator("#message").getByText("Swept:").waitFor();
  await until("stuck", "sealed");
  return same([guidance, poisoned], ["The queue has used up its tries (locked): the message is in the poison queue. Unlock it, then run a sweep to seal it.", 1]);
});
await check("a deleted disk leaves the list", async () => {
  await create("short-lived");
  await until("short-lived", "sealed");
  await change("Delete: short-lived");
  await row("short-lived").waitFor({ state: "detached" });
  await page.locator("#message").getByText("Deleted short-lived.").waitFor();
  return same((await ask("resources")).filter(({ name }) => name === "short-lived"), []);
});
await check("filters show what matches, and how many of all", async () => {
  const names = () => page.locator("#list .pick").allTextContents();
  await page.getByLabel("Outcome").selectOption("exempt");
  const exempt = (await names()).sort();
  await page.getByLabel("Filter").fill("omar lab");
  const both = await names();
  const count = await page.locator("#count").textContent();
  await page.getByLabel("Filter").fill("no such disk");
  await page.getByText("No disk or snapshot matches the filter.").waitFor();
  await page.getByLabel("Filter").fill("");
  await page.getByLabel("Outcome").selectOption("");
  const all = (await ask("resources")).length;
  return same([exempt, both, count.startsWith(`1 of ${all} shown: `), (await names()).length], [["forensics-copy", "scratch-7"], ["scratch-7"], true, all]);
});
await check("one key leads from a row to its trace, which is visible, and one leads back", async () => {
  await row("batch-out-17").locator(".pick").focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("#waterfall .span:focus").waitFor();
  const visible = await page.locator("#waterfall .span").evaluateAll((all) => all.every((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  }));
  const [heading, pressed] = [await page.locator("#traces-heading").textContent(), await row("batch-out-17").locator(".pick").getAttribute("aria-pressed")];
  await page.keyboard.press("Escape");
  const back = await page.locator(":focus").textContent();
  await page.keyboard.press("ArrowDown");
  const next = await page.locator(":focus").textContent();
  return same([visible, heading, pressed, back, next !== back], [true, "Traces of batch-out-17", "true", "batch-out-17", true]);
});
await check("waits and requests have different colours and shapes, and the axis has the whole time", async () => {
  const look = (sort) => page.locator(`#waterfall li[data-sort=${sort}] > .head .bar`).first().evaluate((one) => {
    const { backgroundColor, backgroundImage } = getComputedStyle(one);
    return [backgroundColor, backgroundImage].join(" ");
  });
  const looks = [await look("wait"), await look("work"), await page.locator("#waterfall li[data-sort=request][data-status=unset] > .head .bar").first()
    .evaluate((one) => { const { backgroundColor, backgroundImage } = getComputedStyle(one); return [backgroundColor, backgroundImage].join(" "); })];
  const spans = await ask(`spans?trace=${await shownTrace()}`);
  const waits = await page.locator("#waterfall li[data-sort=wait]").count();
  const whole = (Math.max(...spans.map(({ endUnixNano }) => endUnixNano)) - Math.min(...spans.map(({ startUnixNano }) => startUnixNano))) / 1e9;
  const ticks = await page.locator("#waterfall .ticks span").allTextContents();
  return same([new Set(looks).size, waits, ticks.length, ticks.at(-1)],
    [3, spans.filter(({ attributes }) => "diskseal.wait.for" in attributes).length, 5, `${whole.toFixed(2)} s`]);
});
await check("a tree of any depth is indented by its depth, and folds by key and by button", async () => {
  const depths = await page.locator("#waterfall li[data-span]").evaluateAll((items) => items.map((item) => {
    let depth = 0;
    for (let up = item.parentElement.closest("li"); up; up = up.parentElement.closest("li")) depth += 1;
    return [depth, parseFloat(getComputedStyle(item.querySelector(".what")).paddingLeft)];
  }));
  const wrong = depths.filter(([depth, padding]) => Math.abs(padding - (depth + 1.25) * 16) > 0.5);
  const shown = () => page.locator("#waterfall button.span:visible").count();
  const all = await shown();
  await page.locator("#waterfall .span").first().focus();
  await page.keyboard.press("ArrowLeft");
  const folded = await shown();
  await page.keyboard.press("ArrowRight");
  const unfolded = await shown();
  await page.locator("#waterfall .fold").nth(1).click();
  const second = await shown();
  await page.locator("#waterfall .fold").nth(1).click();
  return same([wrong, folded, unfolded === all && all > 5, second, await shown()], [[], 1, true, 2, all]);
});
await check("a span shows the log lines that were written in it", async () => {
  const records = await ask(`logs?trace=${await shownTrace()}`);
  const line = records.find(({ body }) => String(body).startsWith("sealed "));
  const item = page.locator(`#waterfall li[data-span="${line.spanId}"]`);
  await item.locator(":scope > .head > .span").click();
  const found = await item.locator(":scope > .details .logs li").allTextContents();
  return same(found.map((text) => text.endsWith(`INFO ${line.body}`)), records.filter(({ spanId }) => spanId === line.spanId).map(({ body }) => body === line.body));
});
const elsewhere = (spans) => spans.flatMap(({ traceId, links }) => links.filter((link) => link.traceId !== traceId))[0].traceId;
await check("a seal by the queue shares the trace of its event, and a link to a missing trace is explained", async () => {
  await row("locked-disk").locator(".pick").click();
  const spans = await traceWith("seal_queued");
  const item = page.locator("#waterfall li").filter({ has: page.locator(":scope > .head .linked") }).first();
  await item.locator(":scope > .head > .span").click();
  const link = item.locator(":scope > .details > .link");
  const linked = (await link.textContent()).replace("Linked trace ", "");
  await link.click();
  await page.locator(`#waterfall[data-trace="${linked}"]`).getByText("another service").waitFor();
  await page.locator("#choices button").first().click();
  await traceWith("seal_on_write");
  return same([linked, spans.some(({ name }) => name === "seal_on_write")], [elsewhere(spans), true]);
});
await check("the page shows that a killed handler restarts", async () => {
  const before = await standing.textContent();
  await page.getByRole("button", { name: "Kill the handler of events" }).click();
  await page.locator("#message").getByText("Killed the handler").waitFor();
  await page.waitForFunction((old) => /is running/.test(document.getElementById("standing").textContent)
    && document.getElementById("standing").textContent !== old, before);
  const pids = (text) => [...text.matchAll(/pid (\d+)/g)].map(([, pid]) => pid);
  const [[killed, ...others], [, ...left]] = [pids(before), pids(await standing.textContent())];
  return same([await page.locator("#message").textContent(), left], [`Killed the handler of the group http (pid ${killed}). Its host restarts it.`, others]);
});
await check("a name that Azure would refuse is refused", async () => {
  const field = page.getByLabel("Name", { exact: true });
  const valid = [];
  for (const name of ["-x", "x.", "x-", "_x", "a/b", "x_", "0", "a".repeat(80)]) {
    await field.fill(name);
    valid.push(await field.evaluate((one) => one.validity.valid));
  }
  const answers = await Promise.all(["-x", "x.", "x-", "_x"].map((name) => ask("create", "POST", { kind: "disk", name })));
  return same([valid, answers.every(({ error }) => error.startsWith("a name has 1 to 80 letters"))], [[false, false, false, false, false, true, true, true], true]);
});
await check("an invalid name is refused with a message", async () => {
  await page.locator("#name").evaluate((field) => { field.removeAttribute("pattern"); });
  await page.getByLabel("Name", { exact: true }).fill("a/b");
  await page.getByRole("button", { name: "Create disk" }).click();
  await page.locator("#message[data-is=error]").getByText("a name has 1 to 80 letters").waitFor();
});

const linked = (await ask("spans")).find(({ name }) => name === "seal_queued").traceId;
const foreign = { traceId: "0af7651916cd43dd8448eb211c80319c", root: "b7ad6b7169203331", child: "00f067aa0ba902b7" };
await check("spans of any OTLP client are drawn, as text", async () => {
  await ask("create", "POST", { kind: "disk", name: "hostile", tags: { owner: HOSTILE } });
  await until("hostile", "sealed");
  const { id } = (await ask("resources")).find(({ name }) => name === "hostile");
  const now = BigInt(Date.now()) * 1_000_000n;
  await exportSpans(azure.collector, HOSTILE, [
    { traceId: foreign.traceId, spanId: foreign.root, name: HOSTILE, start: now, end: now + 4_000_000_000n, attributes: { "diskseal.resource_id": id, [HOSTILE]: HOSTILE } },
    { traceId: foreign.traceId, spanId: foreign.child, parent: foreign.root, name: "quarter", start: now + 1_000_000_000n, end: now + 2_000_000_000n,
      error: HOSTILE, events: [{ at: now, name: HOSTILE, attributes: { count: 300 } }], links: [{ traceId: linked, spanId: "e".repeat(16) }] },
  ]);
  await row("hostile").getByRole("button", { name: "hostile", exact: true }).click();
  await page.locator(`#choices [data-trace="${foreign.traceId}"]`).click();
  await traceWith("quarter");
  await page.locator("#waterfall .span").first().click();
  await page.locator("#waterfall .span").last().click();
  const bar = await page.locator("#waterfall .bar").last().evaluate(({ style }) => [style.left, style.width]);
  const texts = await page.locator("#waterfall dd, #waterfall .name, #facts .tags li").evaluateAll((all) => all.map((one) => one.textContent));
  const state = await page.evaluate(() => [window.hostile ?? null, document.images.length, document.scripts.length]);
  const count = texts.filter((text) => text.includes(HOSTILE)).length;
  await page.getByRole("button", { name: `Linked trace ${linked}` }).click();
  await traceWith("seal_queued");
  return same([bar, count >= 7, state, texts.includes("300"), await shownTrace()], [["25%", "25%"], true, [null, 0, 1], true, linked]);
});
await check("foreign scripts do not run", async () => {
  const other = await open();
  await other.page.evaluate(() => {
    document.body.append(Object.assign(document.createElement("script"), { textContent: "window.hostile = 3" }));
  });
  return same([await other.page.evaluate(() => window.hostile ?? null), other.faults.some((text) => text.includes("Content Security Policy"))], [null, true]);
});
await check("another origin can neither read nor change anything", async () => {
  const server = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>other</title>"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const other = await watched(browser);
  await other.page.goto(`http://127.0.0.1:${server.address().port}/`);
  const before = [await ask("faults"), await standing.textContent()];
  const read = await other.page.evaluate(async (address) => {
    const send = (path, options) => fetch(address + path, options).then((answer) => answer.text(), () => "refused");
    const plain = { method: "POST", mode: "no-cors", body: JSON.stringify({ action: "reset", times: "always" }) };
    return [await send("resources"), await send("faults", plain), await send("kill", { method: "POST", mode: "no-cors" })];
  }, azure.page);
  server.close();
  server.closeAllConnections();
  return same([read, await ask("faults"), await standing.textContent()], [["refused", "", ""], ...before]);
});

const hash = `#${encodeURIComponent((await ask("resources")).find(({ name }) => name === "throttled").id)}`;
for (const colorScheme of ["light", "dark"]) {
  for (const [where, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    const shown = await open({ colorScheme, viewport }, hash);
    await shown.page.locator("#waterfall .span").nth(1).click();
    await check(`accessible by axe's rules: ${where}, ${colorScheme}`, () => audit(shown.page));
    await shown.page.screenshot({ path: `${folder}/demo-${where}-${colorScheme}.png`, fullPage: true });
  }
}
for (const width of [320, 360, 414, 640, 768, 960, 1024, 1100, 1920]) {
  const shown = await open({ viewport: { width, height: 800 } }, hash);
  await shown.page.locator("#waterfall .span").nth(1).click();
  await check(`no scrolling sideways at ${width} pixels`, async () => {
    const list = await shown.page.locator("#scroller").evaluate(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth);
    return list ? overflow(shown.page) : "the list scrolls";
  });
  if (width === 768) await shown.page.screenshot({ path: `${folder}/demo-width-768.png`, fullPage: true });
}
await check("bars and the picked row are visible in forced colours", async () => {
  const shown = await open({ forcedColors: "active" }, hash);
  await shown.page.locator("#waterfall .span").nth(1).waitFor();
  const seen = await shown.page.locator("#waterfall .head .bar").evaluateAll((bars) => bars.map((one) => {
    const { backgroundColor, borderTopStyle } = getComputedStyle(one);
    return backgroundColor !== getComputedStyle(one.parentElement).backgroundColor || borderTopStyle === "solid";
  }));
  const picked = await shown.page.locator("tr:has(.pick[aria-pressed=true]) th").evaluate((one) => getComputedStyle(one).borderBottomWidth);
  await shown.page.screenshot({ path: `${folder}/demo-forced-colors.png`, fullPage: true });
  return same([seen.every(Boolean), picked, await audit(shown.page)], [true, "3px", true]);
});
await check("animations respect prefers-reduced-motion", async () => {
  const moving = async (reducedMotion) => {
    const { page: shown } = await open({ reducedMotion });
    await shown.locator("#standing[data-is=up]").waitFor();
    return shown.evaluate(() => document.getAnimations().length > 0);
  };
  return same([await moving("reduce"), await moving("no-preference")], [false, true]);
});
await check("the page shows that nothing exists and that the handler is down", async () => {
  const empty = await watched(browser);
  await empty.page.addInitScript(() => {
    window.EventSource = class extends EventTarget {
      constructor() {
        super();
        setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data: '{"handlers":[{"group":"http","pid":null}],"resources":[]}' })));
      }
    };
  });
  await empty.page.goto(azure.page);
  await empty.page.getByText("No disks or snapshots yet").waitFor();
  await empty.page.locator("#standing[data-is=down]").getByText("Down: http.").waitFor();
  const table = await empty.page.locator("#list").isVisible();
  await empty.page.screenshot({ path: `${folder}/demo-empty.png`, fullPage: true });
  return table ? "an empty table is shown" : audit(empty.page);
});
await check("the console shows no errors besides the refused name", () =>
  same(faults.filter((text) => !text.includes("status of 400")), []));
await check("the page sends requests only to its own server", () =>
  same(requests.filter((url) => !url.startsWith(azure.page)), []));

await check("the page shows that the local Azure has stopped, and the demo exits with 0", async () => {
  const code = azure.end();
  await page.locator("#standing[data-is=ended]").getByText("has stopped or cannot be reached").waitFor();
  await page.getByRole("button", { name: "Kill the handler of events" }).click();
  await page.locator("#message[data-is=error]").getByText("Cannot reach").waitFor();
  await page.screenshot({ path: `${folder}/demo-ended.png`, fullPage: true });
  return same(await code, 0);
});

await check("the page goes on with the next demo on the same port", async () => {
  azure = await play(binaries, new URL(azure.page).port);
  await page.locator("#standing[data-is=up]").waitFor();
  await row("my-disk-1").waitFor({ state: "detached" });
  await row("sql-data-01").locator(".pick").click();
  await traceWith("seal_on_write");
  return same(await azure.end(), 0);
});

await browser.close();
conclude(`screenshots: ${folder}`);
