"""Digests of a file that makes embeddings and names sounds: each covers its own signatures."""

import copy

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from networks import band_statistics, pooled_tflite

from audiosearch import Index, add
from audiosearch.models import litert_content, registry, tagger
from audiosearch.models.cache import cache_dir
from audiosearch.models.digest import embeddings_digest, sounds_digest
from audiosearch.models.specs import SPECS
from audiosearch.models.tagger import sound_names

COMPACT = SPECS["compact"].weights.path


@pytest.fixture(scope="module")
def unpacked():
    """The tables of compact.tflite, with all values inside the flatbuffer."""
    content = COMPACT.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:
            values = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data, buffer.offset, buffer.size = np.frombuffer(values, np.uint8), 0, 0
    return model


@pytest.fixture
def repacked(unpacked, tmp_path):
    """Return a function that writes a changed file."""

    def write(change):
        model = copy.deepcopy(unpacked)
        change(model)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "changed.tflite"
        path.write_bytes(bytes(builder.Output()))
        return path

    return write


def subgraph(model, name):
    """Return the computation of a signature."""
    (found,) = [s for s in model.signatureDefs if s.signatureKey.decode() == name]
    return model.subgraphs[found.subgraphIndex]


def change_constant(name):
    """Return a function that changes a constant that only the signatures with a prefix use."""

    def change(model):
        used = {"sounds": set(), "embedding": set()}
        for signature in model.signatureDefs:
            kind = "sounds" if signature.signatureKey.startswith(b"sounds") else "embedding"
            tensors = model.subgraphs[signature.subgraphIndex].tensors
            used[kind] |= {tensor.buffer for tensor in tensors}
        numbers = {tensor.buffer for tensor in subgraph(model, name).tensors}
        if name == "sounds":
            numbers -= used["embedding"]
        sizes = {n: 0 if (data := model.buffers[n].data) is None else data.size for n in numbers}
        buffer = model.buffers[max(sizes, key=sizes.get)]
        buffer.data = buffer.data.copy()
        buffer.data[-2] ^= 1

    return change


def rename_tensors(model):
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        tensor.name = b"renamed"


def reverse_buffers(model):
    """Reverse the order of all buffers but the first, which stays empty."""
    n = len(model.buffers)
    model.buffers[1:] = model.buffers[:0:-1]
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    for item in (*tensors, *model.metadata):
        item.buffer = item.buffer and n - item.buffer


def reverse_signatures(model):
    model.signatureDefs.reverse()
    model.subgraphs.reverse()
    for signature in model.signatureDefs:
        signature.subgraphIndex = len(model.subgraphs) - 1 - signature.subgraphIndex


def drop_the_last_sound_operator(model):
    subgraph(model, "sounds").operators.pop()


def set_option(model):
    convolution = next(
        op.builtinOptions
        for op in subgraph(model, "serving_default").operators
        if isinstance(op.builtinOptions, schema.Conv2DOptionsT)
    )
    convolution.strideW += 1


def set_scale(model):
    quantized = next(
        tensor.quantization
        for tensor in subgraph(model, "serving_default").tensors
        if tensor.quantization is not None and tensor.quantization.scale is not None
    )
    quantized.scale = quantized.scale * np.float32(1.01)


def set_shape(model):
    tensor = subgraph(model, "pooled").tensors[-1]
    tensor.shape = tensor.shape + 1


def swap_operators(model):
    operators = subgraph(model, "pooled").operators
    operators[0], operators[1] = operators[1], operators[0]


def set_code(model):
    """Make another operator of the first one."""
    operator = subgraph(model, "pooled").operators[0]
    operator.opcodeIndex = (operator.opcodeIndex + 1) % len(model.operatorCodes)


SAME = [rename_tensors, reverse_buffers, reverse_signatures]
OTHER_EMBEDDINGS = [set_option, set_scale, set_shape, swap_operators, set_code]


@pytest.mark.parametrize("change", [lambda _: None, *SAME])
def test_the_layout_of_a_file_does_not_count(repacked, change):
    path = repacked(change)
    assert path.read_bytes() != COMPACT.read_bytes()
    assert embeddings_digest(path) == embeddings_digest(COMPACT)
    assert sounds_digest(path) == sounds_digest(COMPACT)


@pytest.mark.parametrize("change", [change_constant("sounds"), drop_the_last_sound_operator])
def test_another_tagger_changes_only_the_digest_of_sounds(repacked, change):
    path = repacked(change)
    assert embeddings_digest(path) == embeddings_digest(COMPACT)
    assert sounds_digest(path) != sounds_digest(COMPACT)


@pytest.mark.parametrize(
    "change",
    [change_constant("serving_default"), change_constant("pooled"), *OTHER_EMBEDDINGS],
    ids=lambda change: change.__name__,
)
def test_whatever_embeddings_depend_on_changes_their_digest(repacked, change):
    assert embeddings_digest(repacked(change)) != embeddings_digest(COMPACT)


def test_a_file_without_sounds_has_the_digest_of_its_bytes(tmp_path):
    path = tmp_path / "model.tflite"
    pooled_tflite(
        path,
        lambda patches: band_statistics(patches, dimension=16),
        lambda values: values,
        n_values=16,
    )
    before = embeddings_digest(path)
    path.write_bytes(path.read_bytes() + b"\0")
    assert embeddings_digest(path) != before


@pytest.mark.parametrize("n_bytes", [100, 100_000, 4_000_000])
def test_a_damaged_file_has_another_digest(n_bytes, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(COMPACT.read_bytes()[:n_bytes] + b"sounds")
    assert embeddings_digest(path) != embeddings_digest(COMPACT)


def test_the_digest_of_a_file_is_computed_once(monkeypatch):
    expected = registry.compact().weights_digest

    def fail(_):
        raise AssertionError

    monkeypatch.setattr(litert_content, "LiteRtContent", fail)
    assert registry.compact().weights_digest == expected


def test_without_a_cache_digests_are_the_same(monkeypatch, tmp_path):
    expected = registry.compact().weights_digest
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "file"))
    assert registry.compact().weights_digest == expected
    assert not cache_dir().is_dir()


def test_names_are_read_wherever_their_bytes_are(repacked, monkeypatch):
    expected = sound_names()
    monkeypatch.setattr(tagger, "_PATH", repacked(lambda _: None))
    assert sound_names.__wrapped__() == expected


def test_an_index_takes_files_and_keeps_sounds_after_a_change_of_the_tagger(
    repacked, music, monkeypatch, run
):
    add("index", [music / "low.wav"], model="compact", n_jobs=1)
    path = repacked(change_constant("sounds"))
    monkeypatch.setattr(tagger, "_PATH", path)
    tagger.tagger_digest.cache_clear()
    try:
        assert run("add", "-j", "1", music / "high.wav").exit_code == 0
        with Index("index") as index:
            assert len({track.tagger for track in index}) == 2
        assert "1 updated, 0 missing, 0 failed" in run("refresh", "--sounds", "-j", "1").stderr
        with Index("index") as index:
            assert {track.tagger for track in index} == {sounds_digest(path)}
    finally:
        tagger.tagger_digest.cache_clear()
