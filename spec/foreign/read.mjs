// What two readers of JUnit files that others have written see in a file: read.mjs FILE prints, for each, the tests, failures, errors and
// skipped ones that it finds case by case, and the words of the first failure.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const file = process.argv[2];

async function junit2json() {
  const { parse } = require("junit2json");
  const cases = (await parse(readFileSync(file, "utf8"))).testsuite.flatMap((suite) => suite.testcase ?? []);
  const having = (name) => cases.filter((each) => (each[name] ?? []).length > 0).length;
  const first = cases.find((each) => each.failure);
  return [cases.length, having("failure"), having("error"), having("skipped"), first?.failure[0].message ?? ""];
}

function resultsParser() {
  const result = require("test-results-parser").parse({ type: "junit", files: [file] });
  const cases = result.suites.flatMap((suite) => suite.cases);
  const first = cases.find((each) => each.status === "FAIL" && each.failure);
  // It takes those that were skipped off the total.
  return [result.total + result.skipped, result.failed, result.errors, result.skipped, first?.failure ?? "", result.status];
}

console.log(["junit2json", ...(await junit2json())].join("\t"));
console.log(["test-results-parser", ...resultsParser()].join("\t"));
