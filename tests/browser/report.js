// Checks the report's page in a browser.

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { audit, check, conclude, DESKTOP, launch, overflow, PHONE, same, watched } from "./browser.js";
import { HOSTILE, reports } from "./estate.js";

const [binaries, folder] = process.argv.slice(2);
const [nothing, html, json] = await reports(binaries, [["--output", "html"], ["--output", "json"]]);
const expected = JSON.parse(json);
const isOpen = ({ status }) => status === "unsealed" || status === "pending";
const unsealed = expected.exceptions.filter(isOpen);
const exempt = expected.exceptions.filter(({ status }) => status === "exempt");
const file = `${folder}/report.html`;
writeFileSync(file, html);
writeFileSync(`${folder}/nothing.html`, nothing);

const browser = await launch();

/** A page, with its errors and requests. */
async function open(options = {}, path = file, hash = "") {
  const opened = await watched(browser, options);
  await opened.page.goto(pathToFileURL(path).href + hash);
  return opened;
}
const ROWS = "tbody:not([hidden]) tr:not([hidden]):not(.group)";
const names = (page, list = "unsealed") => page.locator(`#${list} ${ROWS} th .resource`).allTextContents();
const sortedAs = (values) => [...values].sort(new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare);
/** The values of a column, group by group. */
const column = (page, list, index) => page.locator(`#${list} tbody`).evaluateAll((bodies, index) =>
  bodies.map((body) => [...body.rows].slice(1).map(({ cells }) => cells[index].dataset.sort ?? cells[index].textContent)), index);
const section = (page, title) => page.locator(`section[aria-labelledby="${title}"]`);

const { page, faults, requests } = await open();
await page.screenshot({ path: `${folder}/desktop-light.png`, fullPage: true });

await check("the verdict is first, then what is not sealed, what ends soon, the warnings and the coverage", async () => {
  const heads = await page.locator("h1, h2, .verdict").allTextContents();
  const wanted = ["Disk and snapshot seal report", expected.verdict, "Not checked", "Not sealed", "Exemptions that end within 30 days", "Warnings", "Coverage", "Controls", "Time to seal", "Exempt", "Definitions"];
  return same(heads, wanted);
});
await check("everything that is not sealed is a row, and so is everything exempt", async () =>
  same([(await names(page)).sort(), (await names(page, "exempt")).sort()],
    [unsealed, exempt].map((rows) => rows.map(({ name }) => name).sort())));
await check("rows are in groups by their reason, whose sentence stands once", async () => {
  for (const list of ["unsealed", "exempt"]) {
    for (const body of await page.locator(`#${list} tbody`).all()) {
      const [count, rows] = [await body.locator(".count").textContent(), await body.locator("tr:not(.group)").count()];
      if (Number(count) !== rows) return { list, count, rows };
    }
  }
  const lacks = await page.getByText("Lacks the mode and the tags diskseal-auth-mode and diskseal-sealed-at").count();
  return same([lacks <= 3, (await page.getByText("packer-tmp-*").count())], [true, 1]);
});
await check("the controls that disks without the mode fail are named", async () =>
  same(await section(page, "unsealed-title").getByText("Disks that lack the mode (4) fail CIS Microsoft Azure Foundations Benchmark 3.0.0 8.6 and").count(), 1));
await check("a name leads to the portal, and its row has the whole ID", async () => {
  for (const { name, id } of [...unsealed, ...exempt]) {
    const row = page.locator(`:is(#unsealed, #exempt) tr:not(.group)`, { has: page.locator(".resource", { hasText: new RegExp(`^${name}$`) }) });
    const link = await row.locator("a.resource").getAttribute("href");
    const right = same([link, await row.locator(".id code").textContent()], [`https://portal.azure.com/#resource${id}`, id]);
    if (right !== true) return right;
  }
});
await check("one key copies an ID", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const row = page.locator(`#unsealed ${ROWS}`).first();
  await row.locator("summary").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await row.locator("[role=status]").getByText("Copied").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  return same(copied, await row.locator(".id code").textContent());
});
await check("without a clipboard the ID is selected", async () => {
  const bare = await open();
  await bare.page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error("denied")); });
  const row = bare.page.locator(`#exempt ${ROWS}`).first();
  await row.locator("summary").click();
  await row.getByRole("button").click();
  await row.getByText("Selected").waitFor();
  return same(await bare.page.evaluate(() => String(getSelection())), await row.locator(".id code").textContent());
});
await check("tags are shown as text", async () => {
  const owner = await page.locator("#exempt tr:not(.group)", { has: page.locator(".resource", { hasText: "hostile" }) }).locator("[data-label=Owner]").textContent();
  const state = await page.evaluate(() => [window.hostile ?? null, document.images.length, document.scripts.length]);
  return same([owner.trim(), ...state], [HOSTILE, null, 0, 1]);
});
await check("foreign scripts do not run", async () => {
  const foreign = await open();
  await foreign.page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.hostile = 3";
    document.body.append(script);
  });
  const hasRun = await foreign.page.evaluate(() => window.hostile ?? null);
  return same([hasRun, foreign.faults.length > 0], [null, true]);
});
await check("images from the network are not requested", async () => {
  const foreign = await open();
  await foreign.page.evaluate(() => { document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:9/x" })); });
  await foreign.page.waitForTimeout(100);
  return same(foreign.faults.some((text) => text.includes("Content Security Policy")), true);
});

await check("every column sorts both ways within its group, and exposes the order", async () => {
  for (const list of ["unsealed", "exempt"]) {
    const heads = page.locator(`#${list} thead th`);
    for (let index = 0; index < await heads.count(); index += 1) {
      const head = heads.nth(index);
      await head.getByRole("button").click();
      if (await head.getAttribute("aria-sort") !== "ascending") return `aria-sort of column ${index}`;
      const up = await column(page, list, index);
      await head.getByRole("button").click();
      if (await head.getAttribute("aria-sort") !== "descending") return `aria-sort of column ${index}`;
      const down = await column(page, list, index);
      const blanks = (values) => values.filter((value) => !value);
      const right = same(up, up.map((values) => [...sortedAs(values.filter(Boolean)), ...blanks(values)]));
      if (right !== true) return { list, index, ...right };
      const back = same(down.map((values) => values.filter(Boolean)), down.map((values) => sortedAs(values.filter(Boolean)).reverse()));
      if (back !== true) return { list, index, ...back };
    }
  }
});
await check("sorting works from the keyboard", async () => {
  const button = page.locator("#unsealed").getByRole("columnheader", { name: "Resource" }).getByRole("button");
  await button.focus();
  await page.keyboard.press("Enter");
  const found = await column(page, "unsealed", 0);
  return same(found, found.map(sortedAs));
});
await check("the text filter matches all words in names, groups, owners and reasons", async () => {
  const find = page.getByRole("search", { name: "Search in exempt" }).getByLabel("Find");
  for (const [text, count] of [["vendor-export", 1], ["rg-exceptions TEAM-ORDERS", 2], ["inc-4711 tomorrow", 1], ["rg-images", 6], ["nothing like it", 0]]) {
    await find.fill(text);
    const right = same([text, (await names(page, "exempt")).length, (await names(page)).length], [text, count, unsealed.length]);
    if (right !== true) return right;
  }
  const shown = await section(page, "exempt-title").locator(".shown").textContent();
  return same([shown.startsWith(`0 of ${exempt.length} exempt resources`), await page.locator("#exempt .group:visible").count()], [true, 0]);
});
await check("the selects filter by status, kind and reason, together, and can be reset", async () => {
  await page.getByRole("search", { name: "Search in exempt" }).getByRole("button", { name: "Show all" }).click();
  const search = page.getByRole("search", { name: "Search in resources that are not sealed" });
  const last = unsealed.find(({ name }) => name === "upload-in-progress");
  for (const member of ["status", "kind", "reason"]) {
    await search.locator(`[data-filter=${member}]`).selectOption(last[member]);
    const right = same((await names(page)).length > 0 && (await page.locator(`#unsealed ${ROWS}:not([data-${member}=${last[member]}])`).count()), 0);
    if (right !== true) return right;
  }
  const wanted = unsealed.filter((one) => ["status", "kind", "reason"].every((member) => one[member] === last[member])).length;
  const found = (await names(page)).length;
  await search.getByRole("button", { name: "Show all" }).click();
  return same([found, (await names(page)).length], [wanted, unsealed.length]);
});
await check("the address holds filter and order, and leads to the same rows", async () => {
  const search = page.getByRole("search", { name: "Search in resources that are not sealed" });
  await search.getByLabel("Find").fill("rg-orders & prod");
  await search.getByLabel("Find").fill("rg-orders-prod");
  await search.locator("[data-filter=kind]").selectOption("disk");
  await page.locator("#unsealed thead button").first().click();
  await page.locator("#unsealed thead button").first().click();
  const [address, found] = [page.url(), await names(page)];
  await search.getByRole("button", { name: "Show all" }).click();
  const again = await open({}, file, new URL(address).hash);
  await again.page.screenshot({ path: `${folder}/filtered.png` });
  const hostile = await open({}, file, "#unsealed.status=%3Cimg%3E&unsealed.sort=99&unsealed.find=%E2");
  return same([await names(again.page), found.length > 0 && found.length < unsealed.length, hostile.faults],
    [found, true, []]);
});
await check("an anchor in the address is no filter", async () => {
  const there = await open({}, file, "#unsealed-title");
  return same((await names(there.page)).length, unsealed.length);
});
await check("what is in use says why Azure may refuse", async () => {
  const of = (name) => page.locator("#unsealed tbody", { has: page.locator(".resource", { hasText: name }) });
  const texts = await Promise.all(["orders-db-os", "build-agent-7", "upload-in-progress"].map((name) => of(name).locator(".group").textContent()));
  const words = ["until it is detached", "SAS URL", "Pending"];
  const machine = await of("orders-db-os").locator("[data-label=Details]").first().textContent();
  return same([texts.map((text, index) => text.includes(words[index])), machine], [[true, true, true], "Attached to orders-db"]);
});
await check("unreadable items are named", async () =>
  same((await page.locator(".gaps li strong").allTextContents()).map((text) => text.endsWith("/disks/a/b")), [true]));
await check("the numbers match those of the JSON", async () => {
  const figures = await page.locator(".figures .figure").allTextContents();
  const totals = expected.totals;
  return same(figures, [...["sealed", "exempt", "pending", "unsealed"].map((state) => String(totals[state])),
    `${totals.sealedPercent.toFixed(1)} %`, `${totals.sealedOrExemptPercent.toFixed(1)} %`]);
});

for (const [colours, options] of [["light", {}], ["dark", { colorScheme: "dark" }], ["forced", { forcedColors: "active" }]]) {
  for (const [where, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    const shown = await open({ ...options, viewport });
    await check(`accessible by axe's rules: ${where}, ${colours}`, () => audit(shown.page));
    await shown.page.screenshot({ path: `${folder}/${where}-${colours}.png`, fullPage: true });
  }
}
await check("bars and swatches are seen in forced colours", async () => {
  const forced = await open({ forcedColors: "active" });
  const fill = await forced.page.locator(".bar .sealed").first().evaluate((one) => getComputedStyle(one).fill);
  return same(fill === "rgb(0, 0, 0)" || fill === "none", false);
});
for (const width of [320, 360, 414, 768, 840, 1024, 1920]) {
  const shown = await open({ viewport: { width, height: 800 } });
  await check(`no scrolling sideways at ${width} pixels`, () => overflow(shown.page));
  if (width === 768 || width === 1024) await shown.page.screenshot({ path: `${folder}/width-${width}.png`, fullPage: true });
}
await check("a phone sorts by the list of columns", async () => {
  const phone = await open({ viewport: PHONE });
  const sort = phone.page.getByRole("search", { name: "Search in resources that are not sealed" }).getByLabel("Sort by");
  await sort.selectOption("Resource");
  const found = await column(phone.page, "unsealed", 0);
  return same(found, found.map(sortedAs));
});
await check("without scripts all data is shown, and no controls", async () => {
  const plain = await open({ javaScriptEnabled: false });
  const controls = await plain.page.locator(".controls").first().isVisible();
  return same([(await names(plain.page)).length, (await names(plain.page, "exempt")).length, controls], [unsealed.length, exempt.length, false]);
});

await check("it prints, with every row and without controls", async () => {
  const paper = await open({ colorScheme: "dark" });
  await paper.page.emulateMedia({ media: "print" });
  const [controls, ground, rows] = await paper.page.evaluate(() => [
    document.querySelector(".controls").checkVisibility(),
    getComputedStyle(document.body).backgroundColor,
    [...document.querySelectorAll(".resources tbody tr:not(.group)")].filter((row) => row.checkVisibility()).length,
  ]);
  return same([controls, ground, rows], [false, "rgb(255, 255, 255)", unsealed.length + exempt.length]);
});
for (const [paper, landscape, width, height] of [["A4", false, 595, 842], ["A4", true, 842, 595], ["Letter", false, 612, 792], ["Letter", true, 792, 612]]) {
  const name = `${paper}${landscape ? " landscape" : ""}`;
  await check(`the paper is the printer's, and nothing is cut off: ${name}`, async () => {
    const printed = await open();
    // As wide as the paper without its margins, at 96 pixels an inch.
    await printed.page.setViewportSize({ width: Math.floor((width - 24 / 25.4 * 72) / 72 * 96), height: 800 });
    await printed.page.emulateMedia({ media: "print" });
    const cut = await overflow(printed.page);
    const pdf = await printed.page.pdf({ path: `${folder}/report-${name.toLowerCase().replace(" ", "-")}.pdf`, format: paper, landscape, preferCSSPageSize: true, tagged: true });
    const [, ...box] = /MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]/.exec(pdf.toString("latin1")) ?? [];
    return same([cut, box.map((side, index) => Math.abs(Number(side) - [width, height][index]) < 2)], [true, [true, true]]);
  });
}
await check("a printed page shows that it is filtered", async () => {
  const paper = await open();
  await paper.page.emulateMedia({ media: "print" });
  const shown = section(paper.page, "unsealed-title").locator(".shown");
  const before = await shown.isVisible();
  await section(paper.page, "unsealed-title").locator("[data-filter=status]").evaluate((choice) => {
    choice.value = "pending";
    choice.dispatchEvent(new Event("change"));
  });
  return same([before, await shown.isVisible()], [false, true]);
});
await check("an empty report is a valid page", async () => {
  const empty = await open({}, `${folder}/nothing.html`);
  await empty.page.screenshot({ path: `${folder}/nothing.png`, fullPage: true });
  const audited = await audit(empty.page);
  return audited === true ? same(empty.faults, []) : audited;
});
await check("the console shows no errors", () => same(faults, []));
await check("the page requests only its own file", () => same(requests, [pathToFileURL(file).href]));

await browser.close();
conclude(`screenshots and the printed page: ${folder}`);
