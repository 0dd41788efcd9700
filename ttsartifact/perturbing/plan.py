"""A plan of controlled imperfection as people write it, and the value of /imperfection that it becomes.

    seed = "4711"

    [[layer]]
    id = "gap"
    kind = "block"                 # a kind of registry/imperfections.toml
    rate_per_min = 12.0            # or per_frame, per_word, per_phoneme, per_chunk: a probability from 0 to 1;
                                   # or at = [3, 17]; or markov = {p = 0.01, r = 0.3, k = 1.0, h = 0.0}
    length_ms = [80, 240]          # one length, a range, or {choice = [100, 200]}
    stage = "pcm"                  # the default
    bitrate_kbps = 16              # of stage codec
    clips = ["um.wav"]             # for breath, filled_pause, interjection
    params = {times = 2}           # of the kind (clause 6.7)

Numbers are taken as they are written, as decimal fractions, and never pass through floating point.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ttsartifact._spec import table
from ttsartifact.container import schemas
from ttsartifact.container.source import FileSource
from ttsartifact.errors import Refused
from ttsartifact.formulas.pcm_events import METHOD

if TYPE_CHECKING:
    from pathlib import Path

_PROBABILITIES = ("per_word", "per_phoneme", "per_chunk", "per_frame", "per_packet")
_TRIGGERS = (*_PROBABILITIES, "rate_per_min", "at", "markov")
_KNOWN = frozenset({"id", "kind", "stage", "length_ms", "clips", "params", "enabled", "bitrate_kbps", *_TRIGGERS})
_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ImperfectionPlan:
    """Layers in the order of the decode path, the seed of their draws, and the files of their clips."""

    seed: str
    layers: tuple[dict[str, Any], ...]
    """As /imperfection/layers has them, without the digests of clips."""
    clips: tuple[tuple[str, ...], ...]
    """The clip files of each layer."""


def load_plan(path: Path | str) -> ImperfectionPlan:
    """Read a plan of controlled imperfection.

    Args:
        path: A TOML file; its clips lie relative to its folder.

    Raises:
        NotFound: There is no such file.
        NotReadable: It cannot be read.
        Refused: A layer is wrong; the message names the layer and the word.

    Example:
        `load_plan("plan.toml").layers`
    """
    with FileSource(path) as file:
        data = file.read_at(0, min(file.size, _LIMIT_BYTES))
    value = schemas.toml_of(data, "the plan", os.fspath(path), Decimal)
    with schemas.reading("the plan", os.fspath(path)):
        return plan_of(value, os.path.dirname(os.path.abspath(path)))


def plan_of(value: dict[str, Any], folder: str = ".") -> ImperfectionPlan:
    """Return the plan of a parsed file.

    Args:
        value: What TOML or JSON holds.
        folder: The folder that clips are relative to.

    Raises:
        Refused: A layer is wrong; the message names the layer and the word.
    """
    unknown, entries = sorted(value.keys() - {"seed", "layer"}), value.get("layer")
    if unknown or not entries or not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise Refused("not a plan", found=unknown or "no layer", expected="seed and at least one [[layer]]")
    layers = tuple(_layer(entry, number) for number, entry in enumerate(entries))
    ids = [layer["id"] for layer in layers]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise Refused("two layers would share their draws", found=f"{twice[0]} twice", expected="an id for each layer")
    clips = tuple(tuple(os.path.join(folder, str(name)) for name in entry.get("clips", ())) for entry in entries)
    return ImperfectionPlan(seed=str(value.get("seed", "1")), layers=layers, clips=clips)


def stated_plan(section: dict[str, Any]) -> ImperfectionPlan:
    """Return the plan that a run's /imperfection states, without what came of it; it has no files of clips."""
    known = ("id", "stage", "kind", "trigger", "shape", "params", "enabled", "bitrate_bps")
    layers = tuple({key: layer[key] for key in known if key in layer} for layer in section["layers"])
    return ImperfectionPlan(seed=section["draw"]["seed"], layers=layers, clips=((),) * len(layers))


def _layer(entry: dict[str, Any], number: int) -> dict[str, Any]:
    name = entry.get("id", f"layer {number}")
    unknown = sorted(entry.keys() - _KNOWN)
    if unknown or "id" not in entry or "kind" not in entry:
        import difflib

        near = difflib.get_close_matches(unknown[0], _KNOWN, n=1) if unknown else []
        found = f"{unknown[0]}" + (f"; did you mean {near[0]}?" if near else "") if unknown else "no id or no kind"
        raise Refused(f"{name}: not a layer", found=found, expected=", ".join(sorted(_KNOWN)))
    kinds = {each["name"]: each for each in table("registry/imperfections")["imperfection"]}
    if entry["kind"] not in list(kinds) and not str(entry["kind"]).startswith("x-"):
        raise Refused(f"{name}: not a kind of imperfection", found=entry["kind"], expected=", ".join(kinds))
    if not isinstance(entry.get("clips", []), list):
        raise Refused(f"{name}: clips: not a list", found=entry["clips"], expected='["FILE.wav", ...]')
    stage = entry.get("stage", "pcm")
    layer = {
        "id": entry["id"],
        "stage": stage,
        "kind": entry["kind"],
        "trigger": _trigger(entry, name),
        "shape": {"length_us": _length(entry["length_ms"], name)} if "length_ms" in entry else {},
        "params": entry.get("params", {}),
        "enabled": entry.get("enabled", True),
    }
    if stage == "pcm":
        layer["method"] = METHOD
    if "bitrate_kbps" in entry:
        layer["bitrate_bps"] = _scaled(entry["bitrate_kbps"], 1_000, f"{name}: bitrate_kbps")
    schemas.require_kind("layer", layer, f"{name}: not a layer of the format")
    known = {"places", kinds.get(entry["kind"], {}).get("parameter", "places")}  # `places` belongs to the trigger
    if (other := sorted(layer["params"].keys() - known)) and not entry["kind"].startswith("x-"):
        message = f"{name}: {entry['kind']} has no such parameter"
        raise Refused(message, found=other[0], expected=" or ".join(sorted(known)))
    return layer


def _trigger(entry: dict[str, Any], name: str) -> dict[str, Any]:
    given = [key for key in _TRIGGERS if key in entry]
    if len(given) != 1:
        message = f"{name}: the layer has {'more than one' if given else 'no'} trigger"
        raise Refused(message, found=given or "none", expected=", ".join(_TRIGGERS))
    (key,) = given
    value = entry[key]
    if key in _PROBABILITIES:
        if isinstance(value, int | Decimal) and value > 1:
            raise Refused(f"{name}: {key}: not a probability", found=value, expected="a number from 0 to 1")
        return {f"{key}_ppm": _scaled(value, 1_000_000, f"{name}: {key}")}
    if key == "rate_per_min":
        return {"rate_per_min_milli": _scaled(value, 1_000, f"{name}: {key}")}
    if key == "at":
        return {"at": value}
    value = value if isinstance(value, dict) else {}
    return {
        "markov": {
            f"{one}_ppm": _scaled(value.get(one), 1_000_000, f"{name}: markov.{one}") for one in ("p", "r", "k", "h")
        }
    }


def _length(value: Any, name: str) -> dict[str, Any]:
    def us(one: Any) -> int:
        return _scaled(one, 1_000, f"{name}: length_ms")

    if isinstance(value, dict) and isinstance(value.get("choice"), list) and value["choice"]:
        return {"choice": [us(one) for one in value["choice"]]}
    if isinstance(value, list) and len(value) == 2:
        return {"uniform": [us(one) for one in value]}
    if isinstance(value, list | dict):
        raise Refused(
            f"{name}: length_ms: not a length", found=value, expected="LENGTH, [LEAST, GREATEST] or {choice = [...]}"
        )
    return {"const": us(value)}


def _scaled(value: Any, scale: int, where: str) -> int:
    """Return a decimal number in whole parts of `scale`; raises Refused where parts would be lost."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
        raise Refused(f"{where}: not a number of at least 0", found=value)
    scaled = Decimal(value) * scale
    if scaled != int(scaled):
        raise Refused(f"{where}: more decimals than the format has", found=value, expected=f"multiples of 1/{scale}")
    return int(scaled)
