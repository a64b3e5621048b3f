// Starts `cargo demo --keep`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Starts it and waits until it is ready. Returns the addresses of the page and the collector, and a function to stop it. */
export async function play(binaries, port = 0) {
  const child = spawn(`${binaries}/examples/demo`, ["--keep", "--port", String(port)], { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line.includes("Live page:")) break;
  }
  // Keeps reading, so that a full pipe does not block it.
  child.stdout.resume();
  const output = lines.join("\n");
  const page = /Live page:\s+(http:\/\/127\.0\.0\.1:\d+\/)/.exec(output)?.[1];
  const collector = /from (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1];
  const end = async () => { child.stdin.end(); return (await exit)[0]; };
  if (!page || !collector) { await end(); throw new Error(`the demo prints no addresses:\n${output}`); }
  return { page, collector, end };
}
