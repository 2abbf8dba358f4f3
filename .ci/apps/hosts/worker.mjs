import { serveModels } from '@dalle-mini/pipeline/browser/worker';

serveModels();
