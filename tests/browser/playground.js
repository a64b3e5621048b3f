// `cargo demo --keep`, started as people start it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Starts it and waits until it can be played with. Gives the page's address, the collector's, and how to end it. */
export async function play(binaries) {
  const child = spawn(`${binaries}/examples/demo`, ["--keep"], { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const said = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (line.includes("Ctrl-C ends it")) break;
  }
  // What it still says must not make it wait.
  child.stdout.resume();
  const output = said.join("\n");
  const page = /live:\s+(http:\/\/127\.0\.0\.1:\d+\/)\s/.exec(output)?.[1];
  const collector = /from (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1];
  const end = async () => { child.stdin.end(); return (await exit)[0]; };
  if (!page || !collector) { await end(); throw new Error(`the demo tells no addresses:\n${output}`); }
  return { page, collector, end };
}
