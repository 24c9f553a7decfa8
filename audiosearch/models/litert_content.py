"""Metadata of a LiteRT file, and the digest of its computations, whatever the file's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Sequence


def metadata(content: bytes, name: str) -> bytes:
    """Return the value of a metadata entry of a LiteRT file.

    Raises
    ------
    KeyError
        If there is no such entry.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(content, 0)
    for entry in map(model.Metadata, range(model.MetadataLength())):
        if entry.Name() == name.encode():
            buffer = model.Buffers(entry.Buffer())
            if buffer.Offset() > 1:  # the value follows the flatbuffer
                return content[buffer.Offset() : buffer.Offset() + buffer.Size()]
            return bytes(buffer.DataAsNumpy())
    raise KeyError(name)


class LiteRtContent:
    """Signatures and constants of a LiteRT file.

    Parameters
    ----------
    content : bytes
        Bytes of the file. Values of constants may follow the flatbuffer.

    Raises
    ------
    Exception
        Of many kinds, if the file is damaged.
    """

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._content = content
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)

    @property
    def signatures(self) -> dict[str, Any]:
        """Signatures by name."""
        return {item.signatureKey.decode(): item for item in self._model.signatureDefs or ()}

    def update_digest(self, digest: hashlib._Hash, names: Sequence[str]) -> None:
        """Add everything that decides what signatures compute to a digest.

        That is their inputs and outputs, their operators in order with all options, and the shapes,
        types, quantization and constants of the tensors. Names of tensors, positions in the file
        and other signatures don't count.
        """
        for name in names:
            signature = self.signatures[name]
            ends = [(end.name, end.tensorIndex) for end in (*signature.inputs, *signature.outputs)]
            plain = (name, self._subgraph(signature.subgraphIndex, ends))
            _add(digest, plain)

    def _subgraph(self, index: int, ends: Sequence[tuple[bytes, int]] = ()) -> Any:
        """Return a computation as nested tuples, with tensors numbered by their first use."""
        subgraph = self._model.subgraphs[index]
        operators = subgraph.operators or ()
        lists = [subgraph.inputs, subgraph.outputs]
        lists += [tensors for op in operators for tensors in (op.inputs, op.outputs)]
        used = [i for tensors in lists for i in (() if tensors is None else tensors) if i >= 0]
        numbers = {i: number for number, i in enumerate(dict.fromkeys(map(int, used)))}
        return (
            [(name, numbers[i]) for name, i in ends],
            _numbered(subgraph.inputs, numbers),
            _numbered(subgraph.outputs, numbers),
            [self._operator(op, numbers) for op in operators],
            [self._tensor(subgraph.tensors[i]) for i in numbers],
        )

    def _operator(self, operator: Any, numbers: dict[int, int]) -> Any:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return (
            max(code.builtinCode, code.deprecatedBuiltinCode),
            code.customCode,
            _numbered(operator.inputs, numbers),
            _numbered(operator.outputs, numbers),
            self._plain(operator.builtinOptions),
            self._plain(operator.builtinOptions2),
            self._plain(operator.customOptions),
        )

    def _tensor(self, tensor: Any) -> Any:
        fields = self._plain(tensor, without=("name", "buffer"))
        return (fields, self._bytes_of(tensor.buffer))

    def _bytes_of(self, number: int) -> bytes:
        buffer = self._model.buffers[number]
        if buffer.offset > 1:  # the values follow the flatbuffer
            return self._content[buffer.offset : buffer.offset + buffer.size]
        return b"" if buffer.data is None else bytes(np.asarray(buffer.data, np.uint8))

    def _plain(self, value: Any, without: Sequence[str] = ()) -> Any:
        """Return a table of the flatbuffer as tuples, without fields that have their default.

        A later version of the schema may add fields. So the digest stays the same.
        """
        if not hasattr(value, "__dict__"):
            return value
        defaults = vars(type(value)())
        fields = {
            name: self._plain(item)
            for name, item in sorted(vars(value).items())
            if name not in without and (isinstance(item, np.ndarray) or item != defaults[name])
        }
        # Control flow: the computation of another subgraph counts, not its number.
        called = {name: self._subgraph(i) for name, i in fields.items() if _is_subgraph(name)}
        return type(value).__name__, list((fields | called).items())


def _is_subgraph(name: str) -> bool:
    return name.lower().endswith(("subgraph", "subgraphindex"))


def _numbered(tensors: Any, numbers: dict[int, int]) -> list[int]:
    return [] if tensors is None else [numbers.get(int(i), -1) for i in tensors]


def _add(digest: hashlib._Hash, value: Any) -> None:
    """Add nested lists of numbers, texts, bytes and arrays to a digest, unambiguously."""
    if isinstance(value, np.ndarray):
        value = (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, (list, tuple)):
        digest.update(f"[{len(value)}".encode())
        for item in value:
            _add(digest, item)
    elif isinstance(value, bytes):
        digest.update(f"b{len(value)}:".encode())
        digest.update(value)
    else:
        digest.update(f"{type(value).__name__}:{value!r};".encode())
