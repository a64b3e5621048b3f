// Starts Chromium, records its errors and requests, and prints one line per check.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 740 };
const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

let [passed, failed] = [0, 0];

/** Runs a check. It passes if it returns nothing or true. */
export async function check(what, holds) {
  let fault;
  try { fault = await holds(); } catch (error) { fault = error; }
  if (fault === undefined || fault === true) { passed += 1; console.log(`ok    ${what}`); return; }
  failed += 1;
  console.log(`FAIL  ${what}: ${fault instanceof Error ? fault.message : JSON.stringify(fault)}`);
}

export const same = (found, expected) => JSON.stringify(found) === JSON.stringify(expected) || { found, expected };

/** Prints the sum, and exits with 1 if any check has failed. */
export function conclude(last) {
  console.log(`\n${last}\n\n${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: ARGUMENTS });

/** An empty page, with its future errors and requests. */
export async function watched(browser, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const [faults, requests] = [[], []];
  page.on("console", (message) => faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("dialog", (dialog) => { faults.push(dialog.message()); dialog.dismiss(); });
  page.on("request", (request) => requests.push(request.url()));
  return { page, faults, requests };
}

/** The elements that are wider than the page. */
export const overflow = (page) => page.evaluate(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > clientWidth + 1);
  return scrollWidth <= clientWidth || wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 80));
});

/** The findings of axe's rules. */
export async function audit(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  return same(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)} ${nodes[0].failureSummary}`), []);
}
