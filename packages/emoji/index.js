// Written by scripts/emoji-files.mjs. Bundlers copy the files, since each address is written out.
export const files = [
  {
    name: 'decoder/config.json',
    url: new URL('./model/decoder/config.json', import.meta.url),
    size: 138,
    sha256: 'a8486a08dab66114e07afad3866cb555070b585fa8d5e7d78d0839fbf3b9f708',
  },
  {
    name: 'decoder/model.safetensors',
    url: new URL('./model/decoder/model.safetensors', import.meta.url),
    size: 15518984,
    sha256: '32f1509641eddc2ff5ac3a57ab5c00bef2c53698d18e9557f0e6a564bae85d54',
  },
  {
    name: 'model.json',
    url: new URL('./model/model.json', import.meta.url),
    size: 452,
    sha256: 'c679b3b009cb337893ae0369c8b87b0f6c89e28186f40d753fa6184dfe8a55e4',
  },
  {
    name: 'text-encoder/config.json',
    url: new URL('./model/text-encoder/config.json', import.meta.url),
    size: 612,
    sha256: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
  },
  {
    name: 'text-encoder/model.safetensors',
    url: new URL('./model/text-encoder/model.safetensors', import.meta.url),
    size: 23253016,
    sha256: '77ad8887297f52a505337dcb3c975c9813f3dd76802888afc1359364b23a84bd',
  },
  {
    name: 'text-encoder/tokenizer.json',
    url: new URL('./model/text-encoder/tokenizer.json', import.meta.url),
    size: 466247,
    sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  },
  {
    name: 'vqgan/config.json',
    url: new URL('./model/vqgan/config.json', import.meta.url),
    size: 280,
    sha256: 'e1c0b7a7dc82b6fcea24cba3b221b072fb5a6b4ccab24a42b7f9342ea70e14a6',
  },
  {
    name: 'vqgan/model.safetensors',
    url: new URL('./model/vqgan/model.safetensors', import.meta.url),
    size: 5797350,
    sha256: '4f3b0c4ca73a2b9bd5a51384db5fa30d41fa518c7a09d3e193c9ce6bb0ea69c7',
  },
];
