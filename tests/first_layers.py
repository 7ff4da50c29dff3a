"""A model of the first layers of another one: its shapes, weights and vocabulary, at a tenth of its cost."""

from pathlib import Path

from gguf import GGUFReader, GGUFValueType, GGUFWriter


def first_layers(model: Path, path: Path, n: int) -> Path:
    """Write the first ``n`` layers of ``model`` to ``path``, with all that stands around them."""
    reader = GGUFReader(model)
    arch = reader.fields["general.architecture"].contents()
    writer = GGUFWriter(path, arch)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = n if name == f"{arch}.block_count" else field.contents()
        items = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(name, value, field.types[0], items)
    for tensor in reader.tensors:
        layer = tensor.name.removeprefix("blk.").partition(".")[0]
        if not layer.isdecimal() or int(layer) < n:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
