import { vqganFiles } from '@dalle-mini/vqgan/node';
import { expect, test } from 'vitest';

test.each([
  [
    ['config.json', 'flax_model.msgpack', 'README.md'],
    ['config.json', 'flax_model.msgpack'],
  ],
  [
    ['model.safetensors', 'config.json', 'flax_model.msgpack'],
    ['config.json', 'model.safetensors'],
  ],
  [
    ['checkpoints/last.ckpt', 'configs/model.yaml'],
    ['configs/model.yaml', 'checkpoints/last.ckpt'],
  ],
  [['detoker.pt', 'encoder.pt'], ['detoker.pt']],
  // An error then names the usual files.
  [['README.md'], ['config.json', 'model.safetensors']],
])('of %j, %j are downloaded', (names, needed) => {
  expect(vqganFiles(names.map((name) => ({ name })))).toEqual(needed);
});
