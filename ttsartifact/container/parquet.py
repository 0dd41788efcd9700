"""Parquet as we write it: one row per run in the columns of parquet-layout.json, and a seal over the whole file.

`parquet_footer` says where the seal lies, `parquet_rows` reads rows.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from ttsartifact import _spec
from ttsartifact.container import canonical, riff
from ttsartifact.container import parquet_footer as footer
from ttsartifact.container.columns import TRACE_TABLES, audio_path, flat_columns, layout, table_rows
from ttsartifact.container.figures import ENCODED, chunks_of, figures_of, onset_of
from ttsartifact.container.limits import MAX_PARQUET_AUDIO_BYTES, MAX_PARQUET_ROW_GROUPS, MIB
from ttsartifact.container.source import BytesSource, Span, blocks_of, length_of
from ttsartifact.errors import Damaged, InvalidDescriptor, TooLarge, TtsArtifactError
from ttsartifact.formulas.latency import DeliveredChunk
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.terms.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from ttsartifact.container.source import Piece

_GROUP_ROWS, _GROUP_AUDIO_BYTES = 100, 32 * MIB
_FEW_VALUES = (
    "spec_version",
    "level",
    "model_repo",
    "vocoder_repo",
    "engine",
    "gpu_model",
    "codec",
    "language",
    "device",
)
PART_NAME = re.compile(
    r"(trace/(chunks|telemetry|events|queue|imperfection|packets|(channel|log)/[a-z][a-z0-9_]{0,47})|leaves|lock|(ref|attestation)/[0-9]+)"
)
_BLOBS = frozenset({"descriptor_json", "notes", "text", "parts", "audio"})


def write(rows: Iterable[tuple[Mapping[str, bytes], Sequence[Piece]]], file: BinaryIO) -> None:
    """Write one row per run into an empty file, and seal it. A run is its parts, `descriptor` first, and audio.

    Raises TooLarge for audio that no Parquet value can hold.
    """
    import pyarrow.parquet as pq

    schema = _schema()
    options: dict[str, Any] = {
        "compression": {leaf: "NONE" if leaf == "audio.bytes" else "ZSTD" for leaf in _leaves()},
        "use_dictionary": list(_FEW_VALUES),
        "write_statistics": [leaf for leaf in _leaves() if leaf.partition(".")[0] not in _BLOBS],
        "write_batch_size": 1,  # page sizes are looked at once a batch; at 1024 all audio would be one page
        "write_page_index": True,
        "write_page_checksum": True,
    }
    if "use_content_defined_chunking" in inspect.signature(pq.ParquetWriter.__init__).parameters:
        options["use_content_defined_chunking"] = True
    with pq.ParquetWriter(file, schema, **options) as writer:
        for number, group in enumerate(_groups(rows)):
            if number == MAX_PARQUET_ROW_GROUPS:
                raise TooLarge("more row groups than are read; write several files", expected=f"at most {number}")
            writer.write_table(_table(group, schema), row_group_size=_GROUP_ROWS)
        writer.add_key_value_metadata({footer.SEAL_KEY: "sha256:" + "0" * 64})
    _seal_in_place(file)


def _groups(
    rows: Iterable[tuple[Mapping[str, bytes], Sequence[Piece]]],
) -> Iterator[list[tuple[Mapping[str, bytes], bytes]]]:
    group: list[tuple[Mapping[str, bytes], bytes]] = []
    held = 0
    for parts, pieces in rows:
        size = length_of(pieces)
        if size > MAX_PARQUET_AUDIO_BYTES:
            raise TooLarge(
                "audio larger than a Parquet value; write .tts.wav",
                found=f"{size} bytes",
                expected=f"at most {MAX_PARQUET_AUDIO_BYTES} bytes",
            )
        if group and (len(group) == _GROUP_ROWS or held + size > _GROUP_AUDIO_BYTES):
            yield group
            group, held = [], 0
        group.append((parts, b"".join(bytes(block) for block in blocks_of(pieces))))
        held += size
    if group:
        yield group


def _table(group: list[tuple[Mapping[str, bytes], bytes]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    values: dict[str, list[Any]] = {name: [] for name in schema.names}
    for parts, audio in group:
        descriptor = _descriptor_of(parts["descriptor"])
        for name in parts:
            if name != "descriptor" and not PART_NAME.fullmatch(name):
                where = descriptor.artifact_id
                raise Damaged("a part of no known name", where=where, found=name[:80], rule="CON04")
        for name, value in flat_columns(descriptor, _figures(descriptor, parts, audio)).items():
            values[name].append(from_utc(value) if name.endswith("_utc") and value is not None else value)
        values["descriptor_json"].append(descriptor.raw)
        values["parts"].append([{"name": n, "bytes": data} for n, data in parts.items() if n != "descriptor"])
        for name in TRACE_TABLES:
            values[name].append(table_rows(name, parts.get(f"trace/{name}")))
        values["audio"].append({"bytes": audio, "path": audio_path(descriptor)})
    arrays = {name: pa.array(column, _built(schema.field(name))) for name, column in values.items()}
    # The bytes are kept as they are, even where they are not UTF-8: CAN01 is a verifier's word, not a writer's.
    arrays["descriptor_json"] = arrays["descriptor_json"].view(pa.string())
    return pa.table(list(arrays.values()), schema=schema)


def _figures(descriptor: Descriptor, parts: Mapping[str, bytes], audio: bytes) -> dict[str, Any]:
    """Return the figures of a row; those of a broken WAV say what can be said without its samples."""
    rows = table_rows("chunks", parts.get("trace/chunks")) or []
    log = chunks_of({key: [row[key] for row in rows] for key in DeliveredChunk._fields})
    source = BytesSource(audio)
    try:
        wave = riff.walk(source) if riff.recognise(audio[:12]) else None
    except TtsArtifactError:
        wave = None
    if wave is None:
        return figures_of(descriptor, log, ENCODED)
    onset = onset_of(descriptor, Span(source, wave.data.body, wave.frames * wave.format.frame_bytes), wave.format)
    return figures_of(descriptor, log, onset, frames=wave.frames)


def _built(field: Any) -> Any:
    import pyarrow as pa

    return pa.binary() if field.name == "descriptor_json" else field.type


def _descriptor_of(raw: bytes) -> Descriptor:
    """Return the view of descriptor bytes that the projections follow from; nothing follows where nothing parses."""
    try:
        value, _ = canonical.parse_descriptor(raw)
    except (InvalidDescriptor, TooLarge):
        value = {}
    return Descriptor(raw, value if isinstance(value, dict) else {})


def _schema() -> pa.Schema:
    import pyarrow as pa

    metadata = _spec.load_json("parquet-layout.json")["schema_metadata"]
    return pa.schema([pa.field(column["name"], arrow_type(column)) for column in layout()], metadata=metadata)


def arrow_type(column: Mapping[str, Any]) -> Any:
    """Return the Arrow type in which a column of the layout is written."""
    import pyarrow as pa

    of = column.get("of")
    if of is None:
        return _primitive(column.get("logical") or column["type"])
    inner = (
        _primitive(of) if isinstance(of, str) else pa.struct([(name, _primitive(kind)) for name, kind in of.items()])
    )
    return pa.list_(inner) if column["type"] == "list" else inner


def _primitive(kind: str) -> Any:
    import pyarrow as pa

    if kind.startswith("timestamp"):
        return pa.timestamp("ns", tz="UTC")
    return {"double": pa.float64(), "string": pa.string(), "binary": pa.binary()}.get(kind) or getattr(pa, kind)()


def _leaves() -> list[str]:
    leaves = []
    for column in layout():
        of, prefix = column.get("of"), column["name"] + (".list.element" if column["type"] == "list" else "")
        leaves += [f"{prefix}.{name}" for name in of] if isinstance(of, dict) else [prefix]
    return leaves


def _seal_in_place(file: BinaryIO) -> None:
    size = file.seek(0, io.SEEK_END)
    file.seek(size - 8)
    footer_bytes = int.from_bytes(file.read(4), "little")
    file.seek(start := size - 8 - footer_bytes)
    place = footer.parse(file.read(footer_bytes), start).seal_digits
    assert place is not None  # we have just written it
    file.seek(0)
    state = hashlib.sha256()  # the digits are still zeros
    while block := file.read(MIB):
        state.update(block)
    file.seek(place)
    file.write(state.hexdigest().encode())
