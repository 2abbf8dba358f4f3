/** Prints how many tests and checks passed and failed. Usage: node .ci/count.mjs VITEST_JSON CHECKS */
import { existsSync, readFileSync } from 'node:fs';

const [report, checks] = process.argv.slice(2);
const lines = readFileSync(checks, 'utf8').split('\n');
const stages = lines.filter((line) => line.startsWith('fail stage: ')).length;
let passed = lines.filter((line) => line.startsWith('pass ')).length;
let failed = lines.filter((line) => line.startsWith('fail ')).length - stages;
if (existsSync(report)) {
  for (const { status, assertionResults } of JSON.parse(readFileSync(report, 'utf8')).testResults) {
    const failures = assertionResults.filter((test) => test.status === 'failed').length;
    passed += assertionResults.filter((test) => test.status === 'passed').length;
    // A test file that cannot be loaded has no tests, but counts as failed.
    failed += status === 'failed' ? Math.max(failures, 1) : failures;
  }
}
// A failed stage counts only if it has no failed tests, because those count already.
console.log(passed, Math.max(failed, stages));
