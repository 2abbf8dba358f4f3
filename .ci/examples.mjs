/** Runs every example: `npm run start:small` where there is one, else `npm start`; one without either is a program of hours. */
import { check, execute, workspaces } from './checks.mjs';

for (const { path, manifest } of workspaces('examples')) {
  const script = ['start:small', 'start'].find((name) => name in manifest.scripts);
  if (!script) {
    console.log(`not run: ${manifest.name}, which has neither start:small nor start`);
    continue;
  }
  await check(`example: ${manifest.name}`, () => {
    console.log(execute('npm', ['run', '--silent', script], { cwd: path }).trimEnd());
  });
}
