"""Commands that are recognised by their argv: their options and their voice's files say what a caller would have to.

Only data is read, within limits; only the command's own program is executed. The table is registry/commands.toml.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import math
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact._spec import table
from ttsartifact.container.canonical import at_pointer
from ttsartifact.errors import Refused, WrongCall
from ttsartifact.recording.pins import by_content, executable, package_files
from ttsartifact.terms.descriptor import absent, is_absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttsartifact.recording.statements import Stated

_MAX_CONFIG_BYTES = 4 << 20
_MAX_WORD = 256
_LIST_S = 5.0
"""How long a program may take to list its voices."""
_GREATEST_INTEGER = (1 << 53) - 1
_PYTHON = re.compile(r"(python|pypy)[\d.]*")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_STARTERS: dict[str, str | None] = {
    name: form
    for names, form in (
        ("apptainer chroot conda docker flatpak mamba micromamba nix parallel pipenv pipx pixi podman poetry", None),
        ("singularity srun ssh su systemd-run uv uvx xargs", None),
        ("command nohup prlimit setsid unbuffer unshare", ""),
        ("chrt", "-T -P PRIORITY"),
        ("env", "-u"),
        ("exec", "-a"),
        ("ionice", "-c -n"),
        ("nice", "-n"),
        ("stdbuf", "-i -o -e"),
        ("sudo doas", "-u -g -p"),
        ("taskset", "MASK"),
        ("time", "-f -o"),
        ("timeout", "-k -s DURATION"),
    )
    for name in names.split()
}
"""Programs that only start another one: their options with a value, and a word in capitals that is before it.

None of one that starts it where programs and voices are not those that are seen here.
"""
_ELSEWHERE = re.compile(r"(PATH|LD_LIBRARY_PATH|PYTHONPATH)=|-[CDRS]|--(root|wd|chdir|chroot|split-string)\b")
"""Words of a starter by which what it runs is not the program of that name that is seen here."""
_EITHER = frozenset({"||", "if", "then", "elif", "else", "while", "until", "for", "do", "case", "!"})
"""Words of a script after which it is open whether a command runs."""
_STDIN_NAMES = frozenset({"-", "@-", "/dev/stdin"})
_UNSEEDED = {
    "stage": "engine",
    "requested": absent("not_applicable", "the command takes no seed"),
    "effective": absent("unknown", "the engine draws its own"),
    "generator": absent("unknown", "the engine does not say"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCommand:
    """A command of a known shape, its options read."""

    shape: Mapping[str, Any]
    """Its entry of registry/commands.toml."""
    options: Mapping[str, tuple[str, ...]]
    """Every value of every option that was given, by the name that a run gives it; none of a switch."""
    plain: tuple[str, ...] = ()
    """The words that are neither options nor their values."""
    argv: tuple[str, ...] = ()
    """The words of the program itself: those of the command, or of one that it starts."""
    within: bool = False
    """Whether it runs inside a shell's command line, perhaps with others around it."""

    @property
    def name(self) -> str:
        """What the program is called."""
        return str(self.shape["name"])

    @property
    def writes(self) -> str | None:
        """The suffix of the audio that the program always writes; None where an option or a shell decides."""
        return None if self.within else self.shape.get("writes")

    @property
    def unread(self) -> list[str]:
        """The options whose value the shell puts in, so that it is not in the command line."""
        places = {"out", *self.shape.get("text", ()), self.shape.get("text_file")}
        given = [name for name in self.options if name not in places]
        return [name for name in given if self.within and re.search("[$`]", " ".join(self.options[name]))]

    @property
    def is_local(self) -> bool:
        """Whether the program computes itself, in a process that serves no one else; a client of a server does not."""
        return not self.shape.get("remote", False)

    @property
    def text_on_stdin(self) -> bool:
        """Whether the command reads its text there when no argument holds it."""
        given = {*self.shape.get("text", ()), self.shape.get("text_file")} & self.options.keys()
        return bool(self.shape.get("stdin")) and not self.within and not given and set(self.plain) <= _STDIN_NAMES

    def require_text_place(self, text: str, *, on_stdin: bool) -> None:
        """Raise Refused where the text is given in a way in which the program does not read one."""
        shape, name = self.shape, os.path.basename(self.argv[0])
        name = name if name in shape["programs"] else self.name
        if self.within:
            return
        in_file = "{text}" in self.options.get(shape.get("text_file", ""), ())
        is_name = {"file": True, "file if one word": not re.search(r"\s", text)}.get(shape.get("argument", ""), False)
        if in_file or (is_name and "{text}" in self.plain):
            options = [f"`{shape['options'][name][0]} {{text}}`" for name in shape.get("text", ())[:1]]
            piped = "without it" if shape.get("stdin") else "with /dev/stdin in its place"
            raise Refused(
                f"{name} would take the text for the name of a file",
                where="argv",
                found="{text}",
                expected=" or ".join([*options, f"`--text-on-stdin` and the command {piped}"]),
            )
        if on_stdin and shape.get("stdin") is False and "{text}" not in self.argv:
            raise WrongCall(f"{name} does not read a text from stdin", where="argv", expected="{text} in the command")

    def require_out_place(self) -> None:
        """Raise Refused where the program would write its audio to a file that is not the one that is recorded."""
        written = self.options.get("out", ("-",))[-1]
        if written not in {"-", "/dev/stdout"} and not self.within and "{out}" not in " ".join(self.argv):
            raise WrongCall(
                f"{self.name} would write its audio to a file of its own, and not to the one that is recorded",
                where="argv",
                found=written,
                expected="{out} in its place",
            )

    def not_carried(self, stated: Mapping[str, Any], facts: Mapping[str, Any], line: str) -> Iterator[str]:
        """Yield what is stated of a seed, a parameter or the device and stands neither in `line` nor in `facts`."""
        seeds = [seed["requested"] for seed in stated.get("seeds", ()) if isinstance(seed, dict)]
        words = [(f"--seed {seed}", seed) for seed in seeds if not is_absent(seed)]
        for name, value in stated.get("params", {}).items():
            if facts["params"].get(name) != value:
                words.append((f"--param {name}={value}", name if isinstance(value, bool) else value))
        if stated.get("device", facts["device"]) != facts["device"]:
            words.append((f"--device {stated['device']}", stated["device"]))
        yield from (said for said, word in words if not re.search(rf"(?<![\d.]){re.escape(str(word))}(?!\.?\d)", line))

    @property
    def pcm(self) -> str | None:
        """The format of raw PCM on stdout, where the command was asked for it."""
        if self.within or "raw" not in self.shape:
            return None
        rate = at_pointer(self._config(self._voice()), self.shape["voice"]["rate"])
        return f"s16le:{rate}:1" if self.shape["raw"] in self.options and type(rate) is int else None

    def unlisted_voice(self) -> str | None:
        """Return the voice that is named and that the program does not list: it spoke with one of its own choice."""
        form, named = self.shape.get("voices"), self.options.get("voice", ("",))[-1]
        part = re.fullmatch(form["part"], named) if form is not None and not os.path.exists(named) else None
        if form is None or part is None:
            return None
        try:
            listed = subprocess.run(
                [self.argv[0], *form["list"]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LIST_S,
                check=True,
            ).stdout.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError):
            return None
        names = re.findall(r"[^\s/]+", listed)
        return named if names and part[1] not in names else None

    def stated(self, engine: Mapping[str, Any], unlisted_voice: str | None = None) -> Stated:
        """Return the conditions that the command's options and its voice's files state; `engine` is its pin.

        Of a voice that the program does not list neither the name nor a model is stated.
        """
        shape = self.shape
        if shape.get("remote"):
            return {"engine": absent("unknown", "a server behind this client")}
        found: Stated = {"device": self._device()}
        if self.unread:
            return found
        voice = self._voice()
        config = self._config(voice)
        params = {name: self._param(name, place, config) for name, place in shape["params"].items()}
        found["params"] = {name: value for name, value in params.items() if value is not None}
        model = by_content([voice, *self._config_path(voice)]) if voice is not None else None
        if unlisted_voice is not None:
            del found["params"]["voice"]
        elif model is None:
            model = self._packaged()
        if model is not None:
            found["model"] = {"family": shape["family"], **model}
            found["vocoder"] = {"integrated": True, "detail": shape["vocoder"]}
        front_end = found["params"].get(shape.get("front_end", "")) or shape.get("front_end_is")
        if front_end is not None:
            # It is a part of the engine, and is pinned with it.
            inside = {key: engine[key] for key in ("version", "build", "package", "digest", "size") if key in engine}
            found["frontend"] = [{"name": f"{engine['name']}: {front_end}", **inside}]
        return found | self._arithmetic(found["params"])

    def _arithmetic(self, params: Mapping[str, Any]) -> Stated:
        """Return seeds, precision and determinism, as far as the program's kind determines them."""
        shape = self.shape
        found: Stated = {}
        seeds = shape.get("seeds")
        drawn_by = [params.get(name) for name in shape.get("drawn_by", ())]
        if drawn_by and all(value == 0 for value in drawn_by):
            seeds, found["determinism"] = "not_applicable", "same_device"
        if "seed" in self.options:
            seed = self.options["seed"][-1]
            found["seeds"] = [seed]
            if "seeded" in shape:
                found["determinism"] = shape["seeded"]
                found["seeds"] = [{"stage": "engine", "requested": seed, "effective": seed}]
        elif seeds == "not_applicable":
            found["seeds"] = absent("not_applicable", "the engine uses no random numbers")  # type: ignore[typeddict-item]
        elif seeds == "unseeded":
            found["seeds"] = [_UNSEEDED]
            found["determinism"] = "none"
        if "precision" in shape:
            found["precision"] = shape["precision"]
        if "determinism" in shape:
            found["determinism"] = shape["determinism"]
        return found

    def _packaged(self) -> dict[str, Any] | None:
        """Return the model that Debian packages hold, or None where there are no such."""
        if "wheel" in self.shape:
            return self._in_wheel(self.shape["wheel"])
        package = self.shape.get("package")
        if package is None:
            return None
        voice = self.options.get(package.get("option", ""), (package.get("usual", ""),))[-1]
        # en-us+f3 is a variant of the language en; its rules are those of the language.
        spoken = re.escape(re.split(r"[-+]", voice)[0]) or "[^/]*"
        pattern = re.compile(package["files"].replace("{voice}", spoken))
        files = sorted({path for name in package["names"] for path in package_files(name) if pattern.fullmatch(path)})
        return by_content(files, below=os.path.commonpath([os.path.dirname(path) for path in files])) if files else None

    def _in_wheel(self, package: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the model that the distribution of this very program holds; None of a program from elsewhere."""
        try:
            distribution = importlib.metadata.distribution(package["name"])
        except importlib.metadata.PackageNotFoundError:
            return None
        placed = {str(file): os.path.realpath(str(distribution.locate_file(file))) for file in distribution.files or ()}
        if os.path.realpath(executable(self.argv[0])) not in placed.values():
            return None
        files = sorted(path for name, path in placed.items() if re.fullmatch(package["files"], name))
        return by_content(files, below=os.path.commonpath([os.path.dirname(path) for path in files])) if files else None

    def _device(self) -> str:
        devices: dict[str, str] = self.shape["devices"]
        return next((device for switch, device in devices.items() if switch in self.options), devices["usual"])

    def _param(self, name: str, place: str, config: Any) -> Any:
        if name in self.options:
            values = self.options[name]
            return _value(values[-1]) if values else True
        found = at_pointer(config, place) if place else None
        return found if _is_plain(found) else None

    def _voice(self) -> str | None:
        """Return the file of the voice: as it was named, or by that name in a folder of voices."""
        voice = self.shape.get("voice")
        if voice is None:
            return None
        named = self.options.get(voice["option"], ("",))[-1]
        folders = (*self.options.get(voice["folders"], ()), os.curdir)
        places = (named, *(os.path.join(folder, named + voice["suffix"]) for folder in folders))
        return next((place for place in places if named and os.path.isfile(place)), None)

    def _config_path(self, voice: str) -> list[str]:
        """Return the file of the configuration, or nothing where there is none."""
        form = self.shape["voice"]
        path = self.options.get(form["config"], (voice + form["config_suffix"],))[-1]
        return [path] if os.path.isfile(path) else []

    def _config(self, voice: str | None) -> Any:
        for path in self._config_path(voice) if voice else ():
            if os.path.getsize(path) <= _MAX_CONFIG_BYTES:
                try:
                    with open(path, "rb") as file:
                        return json.loads(file.read(_MAX_CONFIG_BYTES))
                except (OSError, ValueError, RecursionError):
                    return None
        return None


def known_command(argv: Sequence[str]) -> KnownCommand | None:
    """Return the command that `argv` is a call of, or None where its shape is not known.

    Of a program that only starts another one, and of a shell's command line, it is the known command within, where
    there is one only. A program of the right name that lacks an option which that program needs is another program of
    that name.
    """
    found = _engines(argv, within=False)
    return found[0] if len(found) == 1 else None


def starts_another(argv: Sequence[str]) -> bool:
    """Return whether a command is a shell with its script, or another program that only starts one."""
    return _script_of(argv) is not None or os.path.basename(argv[0]) in _STARTERS


def _engines(argv: Sequence[str], *, within: bool) -> list[KnownCommand]:
    """Return the known commands that `argv` runs; none where it is open which of them run."""
    argv = _started(argv)
    script = _script_of(argv)
    if script is None:
        known = _known(argv, within=within)
        return [known] if known is not None else []
    commands = _commands_in(script)
    if not _EITHER.isdisjoint(command[0] for command in commands):
        return []
    return [known for command in commands for known in _engines(command, within=True)]


def _started(argv: Sequence[str]) -> Sequence[str]:
    """Return the command that the programs at its beginning start in the end; nothing where that is not seen here."""
    while argv and os.path.basename(argv[0]) in _STARTERS:
        form = _STARTERS[os.path.basename(argv[0])]
        if form is None:
            return ()
        waits, place = form[-1:].isupper() and form[-2:-1] != "-", 1
        while place < len(argv):
            word = argv[place]
            if _ELSEWHERE.match(word):
                return ()
            if not word.startswith("-") and "=" not in word.partition("/")[0]:
                if not waits:
                    break
                waits = False
            place += 2 if word in form.split() else 1
        argv = argv[place:]
    return argv


def _known(argv: Sequence[str], *, within: bool) -> KnownCommand | None:
    for shape in _shapes():
        words = _arguments(argv, shape)
        if words is not None:
            options, plain = _read(words, shape)
            if "needs" not in shape or shape["needs"] in options:
                return KnownCommand(shape=shape, options=options, plain=plain, argv=tuple(argv), within=within)
    return None


def known_shapes() -> list[tuple[str, list[str]]]:
    """Return the commands that are recognised: what each is called, and the names of its program."""
    return [(shape["name"], list(shape["programs"])) for shape in _shapes()]


def _script_of(argv: Sequence[str]) -> str | None:
    """Return the script that a shell runs by -c, or None for any other command."""
    if len(argv) < 3 or os.path.basename(argv[0]) not in _SHELLS:
        return None
    options = list(itertools.takewhile(lambda word: word.startswith("-"), argv[1:]))
    ends = [place for place, word in enumerate(options) if word.endswith("c") and not word.startswith("--")]
    return argv[len(options) + 1] if ends and len(argv) > len(options) + 1 else None


def _commands_in(script: str) -> list[list[str]]:
    """Return the words of each simple command of a script, in order, and `||`; none of one that cannot be read."""
    # A new line ends a command, unless a backslash is before it; a comment would take it along.
    lexer = shlex.shlex(script.replace("\\\n", "").replace("\n", "\n;\n"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return []
    commands: list[list[str]] = [[]]
    for word in words:
        if word and set(word) <= set("();<>|&"):
            commands += [[word], []] if word == "||" else [[]]
        elif commands[-1] or "=" not in word.partition("/")[0]:  # what stands before a command sets its environment
            commands[-1].append(word)
    return [command for command in commands if command]


def _shapes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table("registry/commands")["shape"]
    return found


def _arguments(argv: Sequence[str], shape: Mapping[str, Any]) -> Sequence[str] | None:
    """Return the words behind the program, or behind `python -m MODULE`; None for another program."""
    if not argv:
        return None
    program = os.path.basename(argv[0]).removesuffix(".exe")
    if program in shape["programs"]:
        return argv[1:]
    if _PYTHON.fullmatch(program) and "-m" in argv:
        place = list(argv).index("-m")
        if argv[place + 1 : place + 2] and argv[place + 1] in shape["modules"]:
            return argv[place + 2 :]
    return None


def _read(words: Sequence[str], shape: Mapping[str, Any]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the options that are known, and the plain words.

    A word behind an unknown option may be its value, and is not counted among the plain ones.
    """
    named = {flag: name for name, flags in shape["options"].items() for flag in flags}
    switches = {flag: name for name, flags in shape["switches"].items() for flag in flags}
    found: dict[str, tuple[str, ...]] = {}
    plain: list[str] = []
    waiting, unknown = list(words), False
    while waiting:
        word = waiting.pop(0)
        flag, mark, value = word.partition("=")
        if word == "--":
            plain += waiting
            break
        behind_unknown, unknown = unknown, False
        if word in switches:
            found.setdefault(switches[word], ())
        elif word in named and waiting:
            found[named[word]] = (*found.get(named[word], ()), waiting.pop(0))
        elif mark and flag in named and flag.startswith("--"):
            found[named[flag]] = (*found.get(named[flag], ()), value)
        elif word[:2] in named and not word.startswith("--"):
            found[named[word[:2]]] = (*found.get(named[word[:2]], ()), word[2:])
        elif word.startswith("-") and word != "-":
            unknown = True
        elif not behind_unknown and "{out}" not in word:
            plain.append(word)
    return found, tuple(plain)


def _value(word: str) -> Any:
    """Return an option's value: a whole number, a number, or the word as it stands."""
    for kind in (int, float):
        try:
            found = kind(word)
        except ValueError:
            continue
        return found if _is_plain(found) else word
    return word


def _is_plain(value: Any) -> bool:
    """Return whether a value can stand among parameters."""
    if isinstance(value, str):
        return 0 < len(value) <= _MAX_WORD
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return abs(value) <= _GREATEST_INTEGER
    return isinstance(value, float) and math.isfinite(value)
