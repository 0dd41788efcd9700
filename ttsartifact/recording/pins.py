"""Pins that need no statement: an executable and its package, a checkout, the files of a repository at hand.

What cannot be pinned is absent with a reason. No file is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from ttsartifact.errors import Refused, Unavailable
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttsartifact.recording.environment import Lock

_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|sha256:[0-9a-f]{64}")
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+~-]*|(?:(?<![\w.-])|(?<=\bv))\d[\w.+~-]*")
_INTERPRETER = re.compile(r"(python|pypy)[\d.]*|node|perl|ruby|bash|sh|dash|zsh|java|Rscript|julia")
_ASK_S = 15.0
"""A neural engine loads for seconds before it says its version, on a busy machine longer; unread it is another pin."""
_FIRST_LINE = 512

# Run by a Python that we may not be: which file a module is, and which distribution brought a module or a script.
_WHOSE = """
import importlib.metadata as m, importlib.util as u, json, os, sys
kind, name = sys.argv[1:]
path, name = (name, os.path.basename(name)) if kind == "script" else ("", name)
top = name.partition(".")[0]
spec = u.find_spec(top) if kind == "module" else None
for d in m.distributions():
    files = d.read_text("RECORD") or ""
    owns = (f"\\n{top}/" in "\\n" + files or f"\\n{top}.py," in "\\n" + files) if kind == "module" else any(
        e.group == "console_scripts" and e.name == name for e in d.entry_points) and any(
        os.path.realpath(d.locate_file(f)) == path for f in d.files or () if os.path.basename(f) == name)
    if owns:
        print(json.dumps({"name": d.metadata["Name"], "version": d.version, "record": files,
            "origin": spec.origin if spec else None}))
        break
else:
    print(json.dumps({"origin": spec.origin if spec else None}))
"""

# The path on which a Python finds what is installed; the first entry is the folder of the question itself.
_WHERE = "import json, sys; print(json.dumps(sys.path[1:]))"


def tool(words: str, *, option: str = "--engine") -> dict[str, Any]:
    """Return the tool that a flag names: `name@version`."""
    name, mark, version = words.rpartition("@")
    if not mark or not name or not version:
        raise Refused("the tool has no exact version", where=option, found=words, expected="NAME@VERSION")
    return {"name": name, "version": version}


def repository(words: str, files: Iterable[str | os.PathLike[str]] = (), *, option: str = "--model") -> dict[str, Any]:
    """Return the repository that a flag names: `uri@commit`, with its files where they are at hand.

    `files` are files or folders; without any, a snapshot of that very commit in the Hugging Face cache is taken. Names
    are relative to the folder that was given.
    """
    uri, mark, revision = words.rpartition("@")
    if not mark or not _REVISION.fullmatch(revision):
        raise Refused(
            "the repository is not pinned by a full commit",
            where=option,
            found=words,
            expected="REPO@COMMIT with 40 or 64 hex digits",
            rule="PIN01",
        )
    places = [os.fspath(file) for file in files] or _cached_snapshot(uri, revision)
    try:
        listed = sorted((entry for place in places for entry in _files_of(place)), key=lambda entry: str(entry["path"]))
    except OSError as error:
        raise Refused(f"cannot read a file of the repository: {error.strerror}", where=str(error.filename)) from error
    missing = absent("not_measured", "the files were not at hand when the run was recorded")
    return {"uri": uri, "revision": revision, "files": listed or missing}


def by_content(paths: Sequence[str | os.PathLike[str]], below: str = "") -> dict[str, Any]:
    """Return local files as a repository that is pinned by their content; names are those `below` a folder."""
    files = [
        {
            "path": os.path.relpath(path, below) if below else os.path.basename(path),
            "size": os.path.getsize(path),
            "digest": file_digest(path),
        }
        for path in paths
    ]
    revision = digest.of("".join(f"{file['digest']}  {file['path']}\n" for file in files).encode())
    return {"uri": f"urn:{revision}", "revision": revision, "files": files}


def checkout(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return commit, and whether and how the working tree of `folder` differs from it; None where git knows none."""
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    difference = _git(folder, "diff", "HEAD", "--binary", "--no-ext-diff", "--no-color") or b""
    untracked = sorted((_git(folder, "ls-files", "--others", "--exclude-standard", "-z") or b"").split(b"\0"))
    names = [name for name in untracked if name]
    state: dict[str, Any] = {"revision": head.decode().strip(), "dirty": bool(difference or names)}
    if state["dirty"]:
        lines = b"".join(name + b"\0" + _digest_below(folder, name).encode() + b"\n" for name in names)
        state["diff_digest"] = digest.of(difference + lines)
    return state


def remote(folder: str | os.PathLike[str]) -> str | None:
    """Return where a checkout came from, without credentials; a path on this machine is reduced to its name."""
    found = _git(folder, "remote", "get-url", "origin")
    if found is None:
        return None
    address = found.decode().strip()
    parts = urlsplit(address)
    if parts.scheme in {"http", "https", "ssh", "git"}:
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    if re.match(r"[\w.-]+@[\w.-]+:", address):
        return address.partition("@")[2]
    return os.path.basename(address.rstrip("/")) or None


def engine_of(argv: Sequence[str]) -> dict[str, Any]:
    """Return the tool that `argv` runs: the executable, or the script that an interpreter runs."""
    path = executable(argv[0])
    name = os.path.basename(path)
    if _INTERPRETER.fullmatch(name) and (program := _program_of(argv, path)) is not None:
        return program
    facts = _by_package(path) or _by_distribution(path) or _by_asking(path)
    pinned = {"name": os.path.basename(argv[0]), **facts}
    if os.access(path, os.R_OK):  # a program may be there to run and not to read
        pinned |= {"digest": file_digest(path), "size": os.path.getsize(path)}
    return pinned


def lock_of(engine: dict[str, Any], argv: Sequence[str] = ()) -> Lock | None:
    """Return what is installed around an engine: its Debian package's closure, or what its Python has on its path.

    `argv` is the command that it was pinned by. None of an engine that came otherwise.
    """
    build = str(engine.get("build", ""))
    if build.startswith("pip-record ") and argv:
        return _lock_of_interpreter(executable(argv[0]))
    if not build.startswith("deb "):
        return None
    from ttsartifact.recording.environment import PACKAGE_FIELDS, closure_of

    listing = _answer(["dpkg-query", "-W", "-f", PACKAGE_FIELDS])
    return closure_of(str(engine["package"]), listing.decode("utf-8", "replace")) if listing else None


def _lock_of_interpreter(path: str) -> Lock | None:
    """Return what lies on the path of a Python: the one at `path`, or that of the script there."""
    from ttsartifact.recording.environment import dependency_lock

    interpreter = path if _INTERPRETER.fullmatch(os.path.basename(path)) else _interpreter_of(path)
    answer = None if interpreter is None else _answer([interpreter, "-c", _WHERE])
    try:
        places = json.loads(answer) if answer else None
    except ValueError:
        return None
    return dependency_lock([str(place) for place in places]) if isinstance(places, list) else None


def package_files(package: str) -> list[str]:
    """Return the files of an installed Debian package; none where there is no such package or no dpkg."""
    answer = _answer(["dpkg-query", "-L", package])
    found = (answer or b"").decode("utf-8", "replace").splitlines()
    return [path for path in found if os.path.isfile(path) and not os.path.islink(path)]


def executable(word: str) -> str:
    """Return the file that a command's first word runs; raises Unavailable when there is none."""
    found = shutil.which(word)
    if found is None:
        raise Unavailable("no such command", where="argv/0", found=os.path.basename(word))
    return found


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the digest of a file's bytes."""
    with open(path, "rb") as file:
        return digest.spelled(hashlib.file_digest(file, "sha256").hexdigest())


def _by_package(path: str) -> dict[str, Any] | None:
    """Ask the system's package manager who owns a file, and in which version."""
    real = os.path.realpath(path)
    # Where /bin is a link to /usr/bin, a package may have registered either name.
    for place in dict.fromkeys((real, path, real.removeprefix("/usr"))):
        owner = _first_line_of(["dpkg-query", "-S", place])
        if owner is not None and ": " in owner:
            package = owner.split(": ")[0].split(",")[0]
            asked = _first_line_of(["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n", package])
            if asked is not None and asked.count("\t") == 2:
                name, version, architecture = asked.split("\t")
                return {"version": version, "build": f"deb {name} {version} {architecture}", "package": name}
    asked = _first_line_of(["rpm", "-qf", "--qf", "%{NAME}\t%{EVR}\t%{ARCH}\n", real])
    if asked is not None and asked.count("\t") == 2:
        name, version, architecture = asked.split("\t")
        return {"version": version, "build": f"rpm {name} {version} {architecture}", "package": name}
    return None


def _by_distribution(path: str) -> dict[str, Any] | None:
    """Ask the Python of a console script's first line which distribution brought it."""
    interpreter = _interpreter_of(path)
    facts = None if interpreter is None else _whose(interpreter, "script", os.path.realpath(path))
    return _distribution(facts) if facts and "name" in facts else None


def _interpreter_of(path: str) -> str | None:
    """Return the Python that a script's first line names, or None of another program."""
    try:
        with open(path, "rb") as file:
            first = file.readline(_FIRST_LINE)
    except OSError:
        return None
    words = first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    return words[0] if words and re.match(r"(python|pypy)", os.path.basename(words[0])) else None


def _by_asking(path: str) -> dict[str, Any]:
    """Ask the program itself; without an answer, its digest is its version."""
    version_line = _first_line_of([path, "--version"], either=True)
    found = _VERSION.search(version_line) if version_line else None
    return {"version": found[0][:128] if found else file_digest(path)}


def _program_of(argv: Sequence[str], interpreter: str) -> dict[str, Any] | None:
    """Return the script or the module that an interpreter runs, or None when it runs neither."""
    words = list(argv[1:])
    while words and words[0].startswith("-") and words[0] not in {"-m", "-c", "-jar"}:
        words.pop(0)
    if not words or words[0] == "-c":
        return None
    if words[0] == "-m":
        return _module(interpreter, words[1]) if len(words) > 1 else None
    script = words[1] if words[0] == "-jar" and len(words) > 1 else words[0]
    if not os.path.isfile(script):
        return None
    found = file_digest(script)
    pinned = {"name": os.path.basename(script), "version": found, "digest": found, "size": os.path.getsize(script)}
    return pinned | (checkout(os.path.dirname(os.path.abspath(script))) or {})


def _module(interpreter: str, name: str) -> dict[str, Any] | None:
    facts = _whose(interpreter, "module", name)
    if facts is None:
        return None
    if "name" in facts:
        return {"name": name, **_distribution(facts)}
    origin = facts.get("origin")
    if not origin or not os.path.isfile(origin):
        return None
    found = file_digest(origin)
    return {"name": name, "version": found, "digest": found} | (checkout(os.path.dirname(origin)) or {})


def _whose(interpreter: str, kind: str, name: str) -> dict[str, Any] | None:
    answer = _answer([interpreter, "-c", _WHOSE, kind, name])
    try:
        facts = json.loads(answer) if answer else None
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def _distribution(facts: dict[str, Any]) -> dict[str, Any]:
    from ttsartifact.recording.environment import record_digest

    pinned = {"version": str(facts["version"]), "package": str(facts["name"])}
    if facts["record"]:
        pinned["build"] = f"pip-record {record_digest(facts['record'])}"
    return pinned


def _files_of(place: str) -> list[dict[str, Any]]:
    if not os.path.isdir(place):
        return [{"path": os.path.basename(place), "size": os.path.getsize(place), "digest": file_digest(place)}]
    found = []
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not name.startswith(".") and os.path.isfile(path):
                relative = os.path.relpath(path, place).replace(os.sep, "/")
                found.append({"path": relative, "size": os.path.getsize(path), "digest": file_digest(path)})
    return found


def _cached_snapshot(uri: str, revision: str) -> list[str]:
    """Return the folder of that commit in the Hugging Face cache, which names folders by the full commit."""
    name = uri.removeprefix("https://huggingface.co/").removeprefix("hf:")
    home = os.environ.get("HF_HOME") or os.path.join(os.path.expanduser("~"), ".cache", "huggingface")
    cache = os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return []
    folder = os.path.join(cache, "models--" + name.replace("/", "--"), "snapshots", revision)
    return [folder] if os.path.isdir(folder) else []


def _digest_below(folder: str | os.PathLike[str], name: bytes) -> str:
    path = os.path.join(os.fsencode(folder), name)
    return file_digest(os.fsdecode(path)) if os.path.isfile(path) and not os.path.islink(path) else "no file"


def _git(folder: str | os.PathLike[str], *words: str) -> bytes | None:
    return _answer(["git", "-C", os.fspath(folder), *words], timeout_s=30)


def _first_line_of(argv: list[str], *, either: bool = False) -> str | None:
    """Return the first line with a word in it that a program prints on stdout (or, for `either`, on stderr)."""
    answer = _answer(argv, either=either)
    lines = (answer or b"")[:8192].decode("utf-8", "replace").splitlines()
    return next((line.strip("\n") for line in lines if line.strip()), None)


def _answer(argv: list[str], *, either: bool = False, timeout_s: float = _ASK_S) -> bytes | None:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if either else subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
            # A locale of its own: what is parsed here must not change with the user's language.
            env=os.environ | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 or either else None
