// Every number in the texts for the people on call is one of host.json, of the code, or of the query beside the text.

const UNITS = { second: 1, minute: 60, hour: 3600, day: 86400, week: 604800 };
const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const NUMBER = `(?:\\d+|an?|${WORDS.slice(1).join("|")}|thirty)`;
const QUANTITY = new RegExp(`\\b(${NUMBER})[ -](seconds?|minutes?|hours?|days?|weeks?|receipts?|looks?|levels?|times|writes)\\b`, "gi");
const LIST = new RegExp("((?:\\d+, )+(?:\\d+ )?(?:and )?(?:at last )?\\d+) (seconds|minutes)", "g");

const value = (word) => (/^\d+$/.test(word) ? Number(word)
  : /^an?$/i.test(word) ? 1 : word.toLowerCase() === "thirty" ? 30 : WORDS.indexOf(word.toLowerCase()));

/** The facts, each read from its source; a source that no longer has its number is an error. */
function facts({ host, source }) {
  const read = (path, pattern) => {
    const found = pattern.exec(source(path));
    if (found === null) throw new Error(`${path} has no ${pattern}`);
    return found.slice(1);
  };
  const { maxDequeueCount, visibilityTimeout } = host.extensions.queues;
  const [hours, minutes, seconds] = visibilityTimeout.split(":").map(Number);
  const pause = hours * 3600 + minutes * 60 + seconds;
  const [pauses] = read("src/enforce/breaker.rs", /const PAUSES: \[u64; \d+\] = \[([\d, ]+)\]/);
  const [longest] = read("src/enforce/breaker.rs", /PAUSE_MAX: Duration = Duration::from_mins\((\d+)\)/);
  const [calm] = read("src/enforce/breaker.rs", /CALM: Duration = Duration::from_mins\((\d+)\)/);
  const [expiring] = read("src/policy/day.rs", /EXPIRING_WITHIN_DAYS: u16 = (\d+)/);
  const [life] = read("tests/emulator/src/queue.rs", /TIME_TO_LIVE: Duration = Duration::from_hours\((\d+) \* 24\)/);
  const [retried] = read("infra/events.json", /"eventTimeToLiveInMinutes": (\d+)/);
  const receipts = Number(read("src/function/functions.rs", /RECEIPTS_MAX: u32 = (\d+)/)[0]);
  const breaker = pauses.split(",").map(Number);
  // The handler looks at the receipts that are powers of two: src/function/pending.rs has the test.
  const due = Array.from({ length: Math.floor(Math.log2(receipts)) + 1 }, (_, power) => 2 ** power);
  return {
    receipts: [receipts, ...due, maxDequeueCount],
    looks: [due.length, due.length + 1],
    // Nothing of this repository decides that the host's reader of JSON stops there: recordings of the host have it.
    levels: [64],
    // The breaker counts writes; the first two are not delayed.
    times: [breaker.filter((seconds) => seconds === 0).length + 1, due.length + 1],
    writes: [2],
    seconds: [
      (receipts - 1) * pause, ...due.map((receipt) => (receipt - 1) * pause), Number(life) * UNITS.day, Number(retried) * 60,
      ...breaker, Number(longest) * 60, Number(calm) * 60, Number(expiring) * UNITS.day,
      // The host waits four times its initialization timeout of 30 seconds for a handler that cannot be started.
      4 * 30,
    ],
    due,
    later: due.map((receipt) => (receipt - 1) * pause / 60),
  };
}

/** The durations in a query or a rule: `30m`, `[6h]`, `PT2H`, `le="3600"`, and a threshold in seconds. */
function durations(text) {
  const short = [...text.matchAll(/\b(\d+)([smhd])\b/g)].map(([, count, unit]) => count * { s: 1, m: 60, h: 3600, d: 86400 }[unit]);
  const iso = [...text.matchAll(/\bP(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?/g)]
    .map(([, days = 0, hours = 0, rest = 0]) => days * 86400 + hours * 3600 + rest * 60);
  const plain = [...text.matchAll(/(?:le="|> |"threshold":)(\d+)/g)].flatMap(([, count]) => [Number(count), count * UNITS.day]);
  return [...short, ...iso, ...plain];
}

/** The faults of a text, whose numbers may also be those of `beside`. */
function textFaults(where, text, known, beside) {
  const seconds = new Set([...known.seconds, ...durations(beside)]);
  const words = text.replaceAll("a day and a half", "36 hours");
  const found = [...words.matchAll(QUANTITY)].flatMap(([phrase, number, noun]) => {
    const unit = noun.toLowerCase().replace(/s$/, "");
    const right = /^an?$/i.test(number) && !(unit in UNITS) ? true : unit in UNITS ? seconds.has(value(number) * UNITS[unit]) : known[noun.toLowerCase().replace(/s?$/, "s")].includes(value(number));
    return right ? [] : [`${where} says ${phrase}, and nothing has that number`];
  });
  const lists = [...words.matchAll(LIST)].flatMap(([phrase, list, unit]) => list.match(/\d+/g).map(Number)
    .filter((number) => !seconds.has(number * UNITS[unit.replace(/s$/, "")])).map((number) => `${where} says ${number} in "${phrase}", and nothing has that number`));
  return [...found, ...lists];
}

/** Every number in alerts, rules, panels and the runbook, and what the texts about the poison queue must name. */
export function numberFaults(found) {
  const { alerts, rules, dashboard, pages } = found;
  const known = facts(found);
  const ofRules = rules.groups.flatMap((group) => group.rules).filter(({ alert }) => alert);
  const runbook = pages.find(({ path }) => path === "docs/runbook.md").text;
  const sections = runbook.split(/^## /m);
  const anchor = (title) => title.trim().toLowerCase().replaceAll(" ", "-");
  const faults = [
    ...alerts.flatMap((alert) => textFaults(`alert ${alert.name}`, `${alert.displayName}. ${alert.description}`, known, JSON.stringify(alert))),
    ...ofRules.flatMap((rule) => textFaults(`rule ${rule.alert}`, `${rule.annotations.summary}. ${rule.annotations.description}`, known, rule.expr)),
    ...dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
      .flatMap((panel) => textFaults(`panel ${panel.title}`, `${panel.title}. ${panel.description ?? ""}`, known, JSON.stringify(panel.targets ?? []).replaceAll("\\", ""))),
    ...sections.flatMap((section) => {
      const name = anchor(section.split("\n")[0]);
      const own = [...alerts.filter((alert) => alert.runbook.endsWith(`#${name}`)), ...ofRules.filter((rule) => rule.annotations.runbook.endsWith(`#${name}`))];
      const prose = section.replaceAll(/^```.*?^```$/gms, "");
      return textFaults(`docs/runbook.md, ${name}`, prose, known, `${JSON.stringify(own)} ${own.map(({ expr }) => expr).join(" ")} ${section}`);
    }),
  ];
  const percent = alerts.find(({ name }) => name === "failing");
  const least = /Unsealed >= (\d+)/.exec(percent.query)[1];
  const must = [
    ["alert failing", `${percent.displayName} ${percent.description}`, `${percent.threshold * 100} %`],
    ["alert failing", percent.description, `at least ${WORDS[least]}`],
    ...["alert poisoned", "rule DisksealPoisoned", "panel Age of queue messages"].flatMap((where) => {
      const text = where.startsWith("alert") ? alerts.find(({ name }) => name === "poisoned").description
        : where.startsWith("rule") ? ofRules.find(({ alert }) => alert === "DisksealPoisoned").annotations.description
          : dashboard.panels.find(({ title }) => title.startsWith("Age of queue messages")).description;
      return [`${known.receipts[0]} receipts`, `${known.looks[1]} looks`, `${known.seconds[0] / 60} minutes`].map((words) => [where, text, words]);
    }),
    ["docs/runbook.md", runbook, `at the receipts ${listed(known.due)}, which are ${listed(known.later)} minutes later`],
    ["docs/runbook.md", runbook, `looked at the resource ${WORDS[known.looks[1]]} times`],
  ];
  const never = pages.flatMap(({ path, text }) => [...text.matchAll(/\bLooks >= (\d+)/g)]
    .filter(([, count]) => Number(count) > known.looks[0]).map(([condition]) => `${path}: ${condition} never matches`));
  return [...faults, ...must.filter(([, text, words]) => !text.includes(words)).map(([where, , words]) => `${where} does not name ${words}`), ...never];
}

const listed = (numbers) => `${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)}`;
