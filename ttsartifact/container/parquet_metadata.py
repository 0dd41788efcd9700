"""The key-value metadata of a Parquet file: the allowed keys, and those that would mislead its readers.

pandas and datasets believe their own keys before the columns: a forged one renames a column or labels its values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container.canonical import read_json
from ttsartifact.container.columns import layout
from ttsartifact.container.parquet_footer import SEAL_KEY
from ttsartifact.errors import TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Foreign", "foreign"]

_PLAIN = frozenset({"ARROW:schema", SEAL_KEY})  # the first is held to the columns (CON11), the second is SEA01's
_LISTS = frozenset({"List", "LargeList", "Sequence"})
_OF_PANDAS = frozenset({"index_columns", "column_indexes", "columns", "creator", "pandas_version", "attributes"})
_OF_A_COLUMN = frozenset({"name", "field_name", "pandas_type", "numpy_type", "metadata"})


class Foreign(NamedTuple):
    """Something in the metadata that is not of the file and its schema."""

    where: str
    found: Any
    expected: str


def foreign(metadata: Mapping[str, bytes], of_columns: Iterable[tuple[str, str]]) -> Iterator[Foreign]:
    """Yield what the metadata of a file and of its columns say beyond clause 3.4."""
    for key in sorted(metadata):
        if key in {"huggingface", "pandas"}:
            amiss = _read(metadata[key], _features if key == "huggingface" else _frame)
            if amiss is not None:
                yield Foreign(f"file metadata {key}", amiss, "the columns as they are")
        elif key not in _PLAIN:
            yield Foreign(f"file metadata {key}", "a key", "a column, or a field of the descriptor")
    for column, key in of_columns:
        yield Foreign(f"metadata of column {column}", key[:80], "none")


def _read(value: bytes, judge: Any) -> str | None:
    try:
        held = read_json(value)
    except TtsArtifactError:
        return "no JSON"
    answer: str | None = judge(held) if isinstance(held, dict) else "no object"
    return answer


def _features(value: dict[str, Any]) -> str | None:
    """Return what datasets would take from its key and should not."""
    info = value.get("info")
    if value.keys() - {"info", "fingerprint"} or not isinstance(info, dict) or info.keys() != {"features"}:
        return "more than features"
    features = info["features"]
    if not isinstance(features, dict) or features.keys() - {column["name"] for column in layout()}:
        return "features of other columns"
    amiss = (name for name, feature in features.items() if not _is_feature(feature, name))
    return next((f"a feature that relabels {name}" for name in amiss), None)


def _is_feature(feature: Any, name: str = "") -> bool:
    if isinstance(feature, list):
        return len(feature) == 1 and _is_feature(feature[0])
    if not isinstance(feature, dict):
        return False
    kind = feature.get("_type")
    if kind is None:
        return all(map(_is_feature, feature.values()))
    if kind == "Audio":
        return name == "audio" and feature.get("sampling_rate") is None
    if kind in _LISTS:
        return _is_feature(feature.get("feature"))
    return kind == "Value" and isinstance(feature.get("dtype"), str)


def _frame(value: dict[str, Any]) -> str | None:
    """Return what pandas would take from its key and should not."""
    if value.keys() - _OF_PANDAS or value.get("attributes"):
        return "more than columns and index"
    columns, index = value.get("columns"), value.get("index_columns", [])
    if not isinstance(columns, list) or not isinstance(index, list):
        return "no columns"
    known = {column["name"] for column in layout()}
    for column in columns:
        if not isinstance(column, dict) or column.keys() - _OF_A_COLUMN:
            return "a column that pandas does not write so"
        field = column.get("field_name", column.get("name"))
        if field in known and column.get("name") != field:
            return f"a different name for column {field}"
        if field not in known and field not in index:
            return "a column that the file does not have"
    if any(isinstance(entry, str) and entry in known for entry in index):
        return "a column of runs as an index"
    ranges = (entry for entry in index if not isinstance(entry, str))
    return None if all(isinstance(entry, dict) and entry.get("kind") == "range" for entry in ranges) else "an odd index"
