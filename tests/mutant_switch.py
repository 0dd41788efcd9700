"""The switch of the mutants, in the process that runs the tests and in those that they start.

`install` lets our modules be loaded from code that `schemata.py` prepared. That code asks `__mutant__(n)` at each place
that has a mutant, and notes in `__reached__` what was run. A copy of this file as `sitecustomize` on PYTHONPATH does
the same in every Python process that a test starts. Few imports: start-up is measured by tests.
"""

import builtins
import marshal
import os
import sys
from importlib._bootstrap_external import SourceFileLoader  # type: ignore[import-not-found]

TREE, CODE, ACTIVE, HITS, OTHER, OWNER = (
    f"TTSARTIFACT_MUTANT_{word}" for word in ("TREE", "CODE", "ACTIVE", "HITS", "OTHER", "OWNER")
)
"""Variables: the checkout; the folder of prepared code; the active mutant; the file for what other processes reach; a
folder of code that goes before; the process that notes for itself."""
NONE = -1
_whole = SourceFileLoader.get_code
state = {"active": NONE}
reached: set[int] = set()


def install() -> None:
    """Let our modules be loaded with their mutants, and switch on the one that the environment names."""
    state["active"] = int(os.environ.get(ACTIVE, NONE))
    builtins.__mutant__ = _is_active  # type: ignore[attr-defined]
    builtins.__reach__ = _reach  # type: ignore[attr-defined]
    builtins.__reached__ = reached  # type: ignore[attr-defined]
    SourceFileLoader.get_code = _get_code


def code_name(file: str) -> str:
    """Return the name under which the code of a module is kept."""
    return file.replace("/", "+") + ".bin"


def _get_code(self, name):  # type: ignore[no-untyped-def] # a method of importlib's
    root = os.environ.get(TREE, "") + os.sep
    if self.path.startswith((root + "ttsartifact" + os.sep, root + "reference_runner" + os.sep)):
        for folder in (os.environ.get(OTHER), os.environ.get(CODE)):
            path = os.path.join(folder or "", code_name(self.path[len(root) :]))
            if folder and os.path.exists(path):
                with open(path, "rb") as file:
                    return marshal.loads(file.read())
    return _whole(self, name)


def _is_active(number: int) -> bool:
    if number not in reached:
        _reach(number)
    return number == state["active"]


def _reach(number: int) -> None:
    reached.add(number)
    if HITS in os.environ and os.environ.get(OWNER) != str(os.getpid()):
        with open(os.environ[HITS], "a") as file:
            file.write(f"{number}\n")


if __name__ == "sitecustomize" and TREE in os.environ:
    install()
    sys.modules.pop("sitecustomize", None)
