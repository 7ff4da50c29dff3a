"""Small GGUF files for tests, written by the ``gguf`` package, and folders laid out as other programs do."""

import hashlib
import json

import gguf
import numpy as np

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def write_gguf(path, arch="llama", name="Tiny", vocabulary=8, tensors=True, template=TEMPLATE, add=None):
    """Write a model of 2 layers that is whole in form: 1,024 parameters in F16 and 64 in F32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, arch)
    writer.add_name(name)
    writer.add_block_count(2)
    writer.add_context_length(2048)
    writer.add_embedding_length(32)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_file_type(1)
    if vocabulary:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list([f"token{number}" for number in range(vocabulary)])
        writer.add_token_types([1] * vocabulary)
    if template:
        writer.add_chat_template(template)
    if add:
        add(writer)
    if tensors:
        writer.add_tensor("token_embd.weight", np.zeros((32, 32), dtype=np.float16))
        writer.add_tensor("output_norm.weight", np.zeros(64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_split(folder, stem, count=3):
    """Write a model in ``count`` parts; the first holds the metadata and no tensors, as llama.cpp splits."""
    paths = []
    for number in range(count):
        path = folder / f"{stem}-{number + 1:05}-of-{count:05}.gguf"

        def add(writer, number=number):
            writer.add_uint16("split.no", number)
            writer.add_uint16("split.count", count)
            writer.add_int32("split.tensors.count", 2 * (count - 1))

        first = number == 0
        paths.append(write_gguf(path, vocabulary=8 * first, tensors=not first, add=add))
    return paths


def write_hub(cache, repo, filename, revision="a" * 40, main=True, **model):
    """Write a model into a Hugging Face cache: a blob, and a link to it in a snapshot."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    plain = write_gguf(folder / "blobs" / "new", **model)
    blob = plain.rename(plain.with_name(hashlib.sha256(plain.read_bytes()).hexdigest()))
    link = folder / "snapshots" / revision / filename
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(blob)
    except OSError:  # Windows without the right to link: the library copies too
        link.write_bytes(blob.read_bytes())
    if main:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(revision)
    return link


def write_ollama(
    models, called, tag, registry="registry.ollama.ai", namespace="library", layers=None, **model
):
    """Write a model into an Ollama folder: manifest and blob; ``layers``: what others hold, by type."""
    plain = write_gguf(models / "blobs" / "new", **model)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    blob = plain.rename(plain.with_name(f"sha256-{digest}"))
    manifest = models / "manifests" / registry / namespace / called / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    listed = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": f"sha256:{'0' * 64}", "size": 1},
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": 1},
    ]
    for kind, content in (layers or {}).items():
        digest = hashlib.sha256(content).hexdigest()
        (models / "blobs" / f"sha256-{digest}").write_bytes(content)
        listed.append({"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)})
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": listed}))
    return blob
