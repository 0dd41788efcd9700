"""Packs what a borrowed machine needs: one folder of at most 64 MiB, from which `tools/gpu/run` works without network.

    tools/gpu/pack --output .build/gpu-pack
    tools/gpu/pack --output .build/gpu-pack --corpus .build/corpus --minutes 20

The machine has torch for CUDA, numpy, pyarrow, safetensors and rich on Python 3.12; what it lacks are the wheels of
`wheels.txt`, fetched by pip at the versions of constraints.txt and unpacked into `site`. The two distributions are not
installed there: their METADATA and entry points lie in `site` too. Neither fixtures nor tests travel.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MIB = 1 << 20
LIMIT_BYTES = 64 * MIB
SOURCES = ("ttsartifact", "reference_runner", "spec", "benchmarks", "tools")
_NOT_CARRIED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.png", "results", "corpus_lock.txt", "*.so", ".venv", ".ruff_cache", ".mypy_cache"
)
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def copy_sources(output: Path) -> None:
    """Copy what computes and what measures."""
    for name in SOURCES:
        shutil.copytree(ROOT / name, output / name, ignore=_NOT_CARRIED)


def write_entry_points(site: Path) -> None:
    """Say what an installation would say of both distributions, so that runners and adapters are found."""
    for file in (ROOT / "pyproject.toml", ROOT / "reference_runner" / "pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        name, version = project["name"], _version()
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        lines: list[str] = []
        for group, entries in {
            "console_scripts": project.get("scripts", {}),
            **project.get("entry-points", {}),
        }.items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()), ""]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def _version() -> str:
    words = (ROOT / "ttsartifact" / "_version.py").read_text(encoding="utf-8")
    return next(line.split('"')[1] for line in words.splitlines() if line.startswith("__version__"))


def fetch_wheels(site: Path) -> None:
    """Fetch the wheels and unpack them; pip is asked for the other machine's Python, and for nothing that builds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version", "3.12", "--implementation", "cp", "--dest", folder]
        command += [word for platform in _PLATFORMS for word in ("--platform", platform)]
        command += ["--constraint", str(ROOT / "constraints.txt"), "--requirement", str(HERE / "wheels.txt")]
        subprocess.run(command, check=True)
        for wheel in sorted(Path(folder).glob("*.whl")):
            with zipfile.ZipFile(wheel) as opened:
                opened.extractall(site)


def fetch_packages(names: list[str], output: Path) -> None:
    """Fetch Debian packages as files, for a machine of the same Debian: dpkg --extract them there."""
    output.mkdir(parents=True)
    for name in names:
        subprocess.run(["apt-get", "download", "--quiet", name], check=True, cwd=output)


def sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each part."""
    return {
        part.name: sum(path.stat().st_size for path in [part, *part.rglob("*")] if path.is_file())
        for part in sorted(folder.iterdir())
    }


def main() -> int:
    """Pack, print the sizes, and say 1 where it is too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(".build/gpu-pack"))
    parser.add_argument("--without-wheels", action="store_true", help="for a machine that has them, or without network")
    parser.add_argument("--deb", action="append", default=[], help="a Debian package to bring along")
    parser.add_argument("--corpus", type=Path, default=None, help="a built corpus, of which a part is brought along")
    parser.add_argument("--minutes", type=float, default=15.0, help="how much of the corpus is heard")
    parser.add_argument("--seen-minutes", type=float, default=60.0, help="how much more of it has log-mels")
    parser.add_argument("--all-minutes", type=float, default=240.0, help="how much of it travels at all")
    asked: Any = parser.parse_args()
    shutil.rmtree(asked.output, ignore_errors=True)
    asked.output.mkdir(parents=True)
    copy_sources(asked.output)
    write_entry_points(asked.output / "site")
    if not asked.without_wheels:
        fetch_wheels(asked.output / "site")
    if asked.deb:
        fetch_packages(asked.deb, asked.output / "debian")
    if asked.corpus:
        from corpus_grid import pack_corpus

        told = pack_corpus(
            asked.corpus, asked.output / "corpus", minutes=asked.minutes, seen_minutes=asked.seen_minutes
        )
        print(json.dumps(told))
    found = sizes(asked.output)
    for name, size in found.items():
        print(f"{size / MIB:8.2f} MiB  {name}")
    whole = sum(found.values())
    print(f"{whole / MIB:8.2f} MiB  of {LIMIT_BYTES / MIB:.0f}")
    if whole > LIMIT_BYTES:
        print("too much for the machine: leave out wheels, packages or minutes of the corpus", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
