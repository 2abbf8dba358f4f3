/** Runs every example: `npm run start:small` where there is one, else `npm start`. */
import { check, execute, workspaces } from './checks.mjs';

for (const { path, manifest } of workspaces('examples')) {
  const script = manifest.scripts['start:small'] ? 'start:small' : 'start';
  await check(`example: ${manifest.name}`, () => {
    console.log(execute('npm', ['run', '--silent', script], { cwd: path }).trimEnd());
  });
}
