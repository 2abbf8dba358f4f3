/** Files that are often mistaken for checkpoints. */

const pickle =
  'The file is a Python pickle that torch.save did not write. Load it in Python and save it as safetensors.';

/** How files begin that are not text, and what is wrong with them. */
const beginnings: readonly (readonly [start: string | readonly number[], message: string])[] = [
  [[0x1f, 0x8b], 'The file is compressed with gzip. Unpack it, and pass the checkpoint in it.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'The file is compressed with Zstandard. Unpack it, and pass the checkpoint in it.'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'The file is compressed with xz. Unpack it, and pass the checkpoint in it.'],
  [[0x42, 0x5a, 0x68], 'The file is compressed with bzip2. Unpack it, and pass the checkpoint in it.'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'The file is an archive of 7-Zip. Unpack it, and pass the checkpoint in it.'],
  [
    [0x89, 0x48, 0x44, 0x46],
    'The file is HDF5, a format of Keras. Load the model in Python with from_pretrained(folder, from_tf=True), and write it with save_pretrained(folder, safe_serialization=True).',
  ],
  [
    'GGUF',
    'The file is GGUF, the quantized format of llama.cpp. Pass the weights that it was made of, as safetensors.',
  ],
  [
    [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59],
    'The file is one array of NumPy. Save the weights of the model as safetensors.',
  ],
  [[0x80, 2], pickle],
  [[0x80, 3], pickle],
  [[0x80, 4], pickle],
  [[0x80, 5], pickle],
];

/** How files of text begin. */
const texts: readonly (readonly [start: RegExp, message: string])[] = [
  [
    /^version https:\/\/git-lfs/,
    'The file is a Git LFS pointer, not a checkpoint. Download the file itself: git lfs pull.',
  ],
  [
    /^\s*<(!doctype|html|head|body|!--|\?xml)/i,
    'The file is a web page, not a checkpoint. Download it from the address of the file itself.',
  ],
  [
    /^\s*\{\s*"(metadata|weight_map)"/,
    'The file is the index of a checkpoint in several files. Pass its path to readCheckpointFile, with the files next to it.',
  ],
  [
    /^\s*[{[]\s*["[{\]}]/,
    'The file is JSON, not a checkpoint: a configuration, or the answer of a server. Pass the file of the weights.',
  ],
  [
    /^(Entry not found|Repository not found|Invalid username or password)/,
    'The file is the answer of a server that refused the download. Download it again.',
  ],
];

/** Returns what is wrong with a file, by its first bytes; undefined if it may be a checkpoint. */
export function mistakenFile(head: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(head);
  for (const [start, message] of texts) if (start.test(text)) return message;
  for (const [start, message] of beginnings) {
    const bytes = typeof start === 'string' ? new TextEncoder().encode(start) : start;
    if (startsWith(head, bytes)) return message;
  }
  if (new TextDecoder().decode(head.subarray(257, 262)) === 'ustar') {
    return 'The file is a tar archive: of a checkpoint, or of PyTorch before 0.1.10. Unpack it and pass the checkpoint in it, or load it in PyTorch and save model.state_dict() again.';
  }
  // ONNX is a message of protocol buffers that begins with its version, a small number, and the name of its producer.
  if (head[0] === 0x08 && head[1]! < 0x20 && head[2] === 0x12) {
    return 'The file is a model of ONNX, a graph whose weights have no names of layers. Pass the weights that it was made of, as safetensors.';
  }
  return undefined;
}

export function startsWith(bytes: Uint8Array, start: ArrayLike<number>): boolean {
  return bytes.byteLength >= start.length && Array.from(start).every((byte, i) => bytes[i] === byte);
}
