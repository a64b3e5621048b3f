// Checks the report's page in a browser.

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { audit, check, conclude, DESKTOP, launch, overflow, PHONE, same, watched } from "./browser.js";
import { HOSTILE, reports } from "./estate.js";

const [binaries, folder] = process.argv.slice(2);
const [nothing, html, json] = await reports(binaries, [["--output", "html"], ["--output", "json"]]);
const expected = JSON.parse(json);
const exceptions = expected.exceptions.filter(({ status }) => status !== "sealed");
const file = `${folder}/report.html`;
writeFileSync(file, html);
writeFileSync(`${folder}/nothing.html`, nothing);

const browser = await launch();

/** A page, with its errors and requests. */
async function open(options = {}, path = file) {
  const opened = await watched(browser, options);
  await opened.page.goto(pathToFileURL(path).href);
  return opened;
}
const names = (page) => page.locator("#list tbody tr:not([hidden]) th .resource").allTextContents();
const column = (page, index) => page.locator(`#list tbody tr:not([hidden]) > :nth-child(${index + 1})`).evaluateAll(
  (cells) => cells.map((cell) => cell.dataset.sort ?? cell.textContent));

const { page, faults, requests } = await open();
await page.screenshot({ path: `${folder}/desktop-light.png`, fullPage: true });

await check("every exception is a row, in the order of the other formats", async () =>
  same(await names(page), exceptions.map(({ name }) => name)));
await check("tags are shown as text", async () => {
  const owner = await page.locator("#list tr", { hasText: "hostile" }).locator("[data-label=Owner]").textContent();
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

await check("every column sorts both ways, and exposes the order", async () => {
  const heads = page.locator("#list thead th");
  for (let index = 0; index < await heads.count(); index += 1) {
    const head = heads.nth(index);
    await head.getByRole("button").click();
    if (await head.getAttribute("aria-sort") === "descending") await head.getByRole("button").click();
    const up = await column(page, index);
    await head.getByRole("button").click();
    const down = await column(page, index);
    const sorted = (values) => values.filter(Boolean).sort(new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare);
    const blanks = (values) => values.filter((value) => !value);
    const right = same(up, [...sorted(up), ...blanks(up)]);
    if (right !== true) return right;
    const back = same(down.filter(Boolean), sorted(down).reverse());
    if (back !== true) return { index, ...back };
    if (await head.getAttribute("aria-sort") !== "descending") return `aria-sort of column ${index}`;
  }
});
await check("sorting works from the keyboard", async () => {
  const button = page.getByRole("columnheader", { name: "Resource" }).getByRole("button");
  await button.last().focus();
  await page.keyboard.press("Enter");
  const found = await names(page);
  return same(found, [...found].sort(new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare));
});
await check("the text filter matches all words in names, groups, owners and reasons", async () => {
  for (const [text, count] of [["vendor-export", 1], ["LOVELACE", 1], ["inc-4711 tomorrow", 1], ["rg-images", 7], ["nothing like it", 0]]) {
    await page.getByLabel("Find").fill(text);
    const right = same([text, (await names(page)).length], [text, count]);
    if (right !== true) return right;
  }
  return same((await page.locator("#shown").textContent()).startsWith(`0 of ${exceptions.length}`), true);
});
await check("the selects filter by status, kind and reason, together, and can be reset", async () => {
  await page.getByRole("button", { name: "Show all" }).click();
  for (const member of ["status", "kind", "reason"]) {
    const value = exceptions[exceptions.length - 1][member];
    await page.locator(`[data-filter=${member}]`).selectOption(value);
    const right = same((await names(page)).length > 0 && (await page.locator(`#list tbody tr:not([hidden]):not([data-${member}=${value}])`).count()), 0);
    if (right !== true) return right;
  }
  const last = exceptions[exceptions.length - 1];
  const wanted = exceptions.filter((one) => ["status", "kind", "reason"].every((member) => one[member] === last[member])).length;
  const found = (await names(page)).length;
  await page.getByRole("button", { name: "Show all" }).click();
  return same([found, (await names(page)).length], [wanted, exceptions.length]);
});
await check("pending resources are listed with their state", async () => {
  const rows = await page.locator("section[aria-labelledby=pending] tbody tr").evaluateAll((all) => all.map((row) =>
    [row.querySelector(".resource").textContent, row.querySelector("[data-label=State]").textContent, row.querySelector("[data-label=Why]").textContent]));
  const words = { active_sas: "URL in use", active_upload: "Upload in progress", attached: "Attached" };
  const wanted = expected.pending.map(({ id, reason, text }) => [id.split("/").pop(), words[reason], text]);
  return same([rows, rows.map(([name]) => name).sort()], [wanted, ["build-agent-7", "orders-db-os", "upload-in-progress"]]);
});
await check("unreadable items are named", async () =>
  same((await page.locator(".gaps li strong").allTextContents()).map((text) => text.endsWith("/disks/a/b")), [true]));
await check("the numbers match those of the JSON", async () => {
  const figures = await page.locator(".figures .figure").allTextContents();
  const { sealed, exempt, pending, unsealed, sealedPercent } = expected.totals;
  return same(figures, [...[sealed, exempt, pending, unsealed].map(String), `${sealedPercent.toFixed(1)} %`]);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [where, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    const shown = await open({ colorScheme, viewport });
    await check(`accessible by axe's rules: ${where}, ${colorScheme}`, () => audit(shown.page));
    await shown.page.screenshot({ path: `${folder}/${where}-${colorScheme}.png`, fullPage: true });
  }
}
for (const width of [320, 360, 414, 768, 840, 1024, 1920]) {
  const shown = await open({ viewport: { width, height: 800 } });
  await check(`no scrolling sideways at ${width} pixels`, () => overflow(shown.page));
  if (width === 768 || width === 1024) await shown.page.screenshot({ path: `${folder}/width-${width}.png`, fullPage: true });
}
await check("a phone sorts by the list of columns", async () => {
  const phone = await open({ viewport: PHONE });
  await phone.page.getByLabel("Sort by").selectOption("Resource");
  const found = await names(phone.page);
  return same(found, [...found].sort(new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare));
});
await check("without scripts all data is shown, and no controls", async () => {
  const plain = await open({ javaScriptEnabled: false });
  const controls = await plain.page.locator("#controls").isVisible();
  return same([(await names(plain.page)).length, controls], [exceptions.length, false]);
});

await check("it prints, with every row and without controls", async () => {
  const paper = await open({ colorScheme: "dark" });
  const pdf = await paper.page.pdf({ path: `${folder}/report.pdf`, preferCSSPageSize: true, tagged: true });
  await paper.page.emulateMedia({ media: "print" });
  const [controls, ground, rows] = await paper.page.evaluate(() => [
    document.getElementById("controls").checkVisibility(),
    getComputedStyle(document.body).backgroundColor,
    [...document.querySelectorAll("#list tbody tr")].filter((row) => row.checkVisibility()).length,
  ]);
  return same([pdf.subarray(0, 5).toString(), controls, ground, rows], ["%PDF-", false, "rgb(255, 255, 255)", exceptions.length]);
});
await check("a printed page shows that it is filtered", async () => {
  const paper = await open();
  await paper.page.emulateMedia({ media: "print" });
  const before = await paper.page.locator("#shown").isVisible();
  await paper.page.locator("[data-filter=status]").evaluate((choice) => {
    choice.value = "exempt";
    choice.dispatchEvent(new Event("change"));
  });
  return same([before, await paper.page.locator("#shown").isVisible()], [false, true]);
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
