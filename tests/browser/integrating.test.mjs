// The examples of docs/integrating.md, run as they stand there, with what they are said to print.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test, { after, before } from "node:test";
import { api, handfast, repository, startDemo } from "./harness.mjs";

let demo;
before(async () => {
  demo = await startDemo();
});
after(() => demo?.stop());

/** Every `sh` block of a document with the `text` block that follows it. */
function examplesOf(file) {
  const blocks = [...readFileSync(file, "utf8").matchAll(/^```(sh|text)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, kind, command], at) => {
    if (kind !== "sh") return [];
    const [, next, expected] = blocks[at + 1] ?? [];
    assert.equal(next, "text", `what does this print?\n${command}`);
    return [{ command, expected }];
  });
}

/** `…` stands for anything, also for several lines where it has a line of its own. */
function patternOf(expected) {
  const parts = expected.trim().split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s");
}

/** Runs the blocks in one shell, so that a later one sees what an earlier one set; answers what each printed. */
function runAll(commands, env) {
  const border = "=== the next example ===";
  const script = commands.map((command) => `${command}\necho; echo "${border}"`).join("\n");
  const { status, stdout, stderr } = spawnSync("bash", ["-euo", "pipefail", "-c", script], {
    encoding: "utf8", env: { ...process.env, ...env },
  });
  assert.equal(status, 0, stderr);
  return stdout.split(`${border}\n`).slice(0, -1).map((printed) => printed.trim());
}

test("the examples for integrators print what they say", async () => {
  const examples = examplesOf(join(repository, "docs/integrating.md"));
  assert.ok(examples.length >= 10, "the document lost its examples");
  const evening = await api(demo.url, "/demo");
  const printed = runAll(examples.map(({ command }) => command), {
    HANDFAST: demo.url,
    TICKET: evening.fans[0].tickets[0].code,
    FOLDER: demo.folder,
    PATH: `${dirname(handfast)}:${process.env.PATH}`,
  });
  examples.forEach(({ command, expected }, at) => assert.match(printed[at], patternOf(expected), command));
});

test("an example that prints something else is noticed", () => {
  assert.doesNotMatch('{"outcome":"invalid"}', patternOf('{…"outcome":"ok"…}'));
  assert.match('{"a":1,"outcome":"ok","b":2}', patternOf('{…"outcome":"ok"…}'));
  assert.doesNotMatch("true\ntrue", patternOf("true\nfalse\n"));
});
