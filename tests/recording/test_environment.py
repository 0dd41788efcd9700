"""The environment (clause 6.6): what can change a run, and nothing about whose machine it is."""

from __future__ import annotations

import getpass
import hashlib
import io
import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

from ttsartifact.recording import environment
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path


def captured(**environ: str) -> dict[str, object]:
    return environment.capture(
        devices=[], runtime=[], no_devices=absent("not_measured"), in_process=True, environ=os.environ | environ
    )


def test_a_capture_names_the_machine_and_not_its_owner() -> None:
    """6.6: no host name, user name or home path, whatever the environment holds."""
    home = os.path.expanduser("~")
    words = json.dumps(
        captured(TORCH_HOME=f"{home}/.cache/torch", CUDA_CACHE_PATH="/scratch/someone/nv", OMP_NUM_THREADS="2")
    )

    found = json.loads(words)

    assert found["os"]["kernel"] == os.uname().release
    assert found["cpu"]["logical_cores"] == os.cpu_count()
    assert socket.gethostname() not in words
    assert home not in words
    assert "someone" not in words
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in found["variables"]
    user = getpass.getuser()
    assert not any(user in json.dumps(found[key]) for key in ("os", "cpu", "variables", "virtualisation"))


def test_only_variables_of_the_allow_list_are_taken() -> None:
    """6.6: a secret in the environment is nobody's condition; a device's UUID becomes its digest."""
    uuid = "GPU-12345678-1234-1234-1234-123456789abc"

    found = environment.variables(
        {"AWS_SECRET_ACCESS_KEY": "x", "HOME": "/root", "CUDA_VISIBLE_DEVICES": uuid, "TORCH_HOME": "/home/me"}
    )

    assert found == [
        {"name": "CUDA_VISIBLE_DEVICES", "value": digest.of(uuid.encode())},
        {"name": "TORCH_HOME", "value": "(a path, withheld)"},
    ]


def test_a_package_is_what_was_installed_wherever_it_lies() -> None:
    """5.8: bytecode, scripts and installer files differ between two installs of the same wheel, and are left out."""
    one = "a/__init__.py,sha256=x,3\na-1.dist-info/RECORD,,\n../../bin/a,sha256=here,9\n"
    two = "a-1.dist-info/RECORD,,\na/__pycache__/__init__.cpython-311.pyc,,\na/__init__.py,sha256=x,3\n"

    assert environment.record_digest(one) == environment.record_digest(two)
    assert environment.record_digest(one) != environment.record_digest(one.replace("=x", "=y"))


def test_the_lock_holds_every_distribution_and_the_list_those_that_matter() -> None:
    """5.8: what else is installed is in the lock, line by line, and not among the packages that can change samples."""
    packages, lock = environment.packages(), environment.dependency_lock()

    names = [each["name"] for each in packages]
    assert {"numpy", "soundfile", "ttsartifact"} <= set(names)
    assert "pytest" not in names
    assert (lock.kind, b"\npytest==" in lock.listing) == ("pip-record", True)
    assert lock.to_value()["packages"] == lock.listing.count(b"\n") > len(packages)


def installed(site: Path, name: str, content: str) -> None:
    """Write what an installer leaves of one distribution of one file."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{name}.py,sha256={content},1\n{info.name}/RECORD,,\n")


def test_the_list_takes_whole_names_and_the_lock_what_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6.6 and 5.8: `torch` is of the list and `torch-of-our-client` is not; another content of one version shows."""
    locks = []
    for content in ("one", "two"):
        site = tmp_path / content
        for name in ("torch", "torch-of-our-client", "numpy-secret"):
            installed(site, name, content)
        digests = environment.record_digest(f"torch.py,sha256={content},1\n")
        locks.append(environment.dependency_lock([str(site)]))
        lines = locks[-1].listing.decode().splitlines()
        assert [line.split("==")[0] for line in lines] == ["numpy-secret", "torch-of-our-client", "torch"]
        assert lines[2] == f"torch==1.0 {digests}"
    assert locks[0].to_value()["digest"] != locks[1].to_value()["digest"]
    monkeypatch.setattr(environment, "_installed", lambda: environment._distributions([str(tmp_path / "one")]))
    assert [entry["name"] for entry in environment.packages()] == ["torch"]
    longer = {"XCUDA_VISIBLE_DEVICES": "0", "LANGUAGE": "de", "TZ_OF_OURS": "x", "OMP_NUM_THREADS": "2"}
    assert environment.variables(longer) == [{"name": "OMP_NUM_THREADS", "value": "2"}]


def test_an_engine_elsewhere_is_not_described_by_our_interpreter() -> None:
    """6.6: the recorder's Python is no condition of a command."""
    found = environment.capture(devices=[], runtime=[], no_devices=absent("unknown"), in_process=False)

    assert {found[key]["reason"] for key in ("python", "packages", "sound_library")} == {"unknown"}


CPUINFO = """\
processor\t: 0
model name\t: A Processor 3000
flags\t\t: fpu sse4_1 sse4_2 avx avx2 fma f16c avx512f avx_vnni amx_tile {more}

processor\t: 1
model name\t: Another
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp sve2 fphp bf16 i8mm aes\nModel\t\t: A Board\n"


def on_machine(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Let a machine have these files below /proc and /sys, and no others."""

    def opened(path: str, *_: object, **__: object) -> io.StringIO:
        if path not in files:
            raise FileNotFoundError(path)
        return io.StringIO(files[path])

    monkeypatch.setattr(environment, "open", opened, raising=False)
    monkeypatch.setattr(environment.os.path, "exists", lambda path: path in files)


@pytest.mark.parametrize(
    ("files", "environ", "words"),
    [
        ({}, {}, None),
        ({"/proc/version": "Linux version 4.4.0 gVisor\n"}, {}, "gvisor"),
        *(
            ({f"/sys/class/dmi/id/{file}": f"{vendor} Inc.\n"}, {}, name)
            for file in ("sys_vendor", "product_name")
            for vendor, name in (
                ("QEMU", "qemu"),
                ("a KVM", "kvm"),
                ("VMware", "vmware"),
                ("VirtualBox", "virtualbox"),
                ("Microsoft Corporation", "hyper-v"),
                ("Amazon EC2", "ec2"),
                ("Google", "gce"),
                ("Xen", "xen"),
                ("Example", None),
            )
        ),
        ({"/proc/cpuinfo": CPUINFO.format(more="hypervisor")}, {}, "hypervisor"),
        ({"/proc/cpuinfo": CPUINFO.format(more="nohypervisors")}, {}, None),
        ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"/.dockerenv": ""}, {}, "docker"),
        ({"/run/.containerenv": ""}, {}, "podman"),
        ({"/sys/class/dmi/id/sys_vendor": "QEMU", "/.dockerenv": ""}, {}, "qemu + docker"),
    ],
)
def test_a_virtual_machine_and_a_container_are_seen_by_their_signs(
    files: dict[str, str], environ: dict[str, str], words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6.6: the vendor that the firmware names, the processor's flag, and what container engines leave."""
    on_machine(monkeypatch, files)
    assert environment._virtualisation(environ) == (words or absent("unknown", "no sign of any"))


def test_a_processor_is_described_by_what_the_kernel_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """6.6: its model and those of its features that can change samples, on two architectures and without a list."""
    on_machine(monkeypatch, {"/proc/cpuinfo": CPUINFO.format(more="avx512_bf16 hypervisor")})
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    isa = ["amx_tile", "avx", "avx2", "avx512_bf16", "avx512f", "avx_vnni", "f16c", "fma", "sse4_1", "sse4_2"]
    assert environment._cpu() == {"model": "A Processor 3000", "logical_cores": 3, "isa": isa}
    on_machine(monkeypatch, {"/proc/cpuinfo": ARM})
    arm = ["asimd", "asimddp", "bf16", "fphp", "i8mm", "sve2"]
    assert environment._cpu() == {"model": "A Board", "logical_cores": 3, "isa": arm}
    on_machine(monkeypatch, {"/proc/cpuinfo": f"flags : {' '.join(f'avx512_{n:02}' for n in range(70))}"})
    assert environment._cpu()["isa"] == [f"avx512_{n:02}" for n in range(64)]
    on_machine(monkeypatch, {})
    monkeypatch.setattr(environment.platform, "processor", lambda: "")
    monkeypatch.setattr(environment.platform, "machine", lambda: "m68k")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    unlisted = absent("unknown", "the system does not list them")
    assert environment._cpu() == {"model": "m68k", "logical_cores": 1, "isa": unlisted}


def test_a_system_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """6.6: as os-release has it, else as Python knows it; what is not known is absent."""
    platform = environment.platform
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"NAME": "A System", "VERSION_ID": "12"})
    for name, value in {"release": "6.1", "machine": "m68k", "libc_ver": ("glibc", "2.36")}.items():
        monkeypatch.setattr(platform, name, lambda value=value: value)
    whole = {"name": "A System", "version": "12", "kernel": "6.1", "machine": "m68k", "libc": "glibc 2.36"}
    assert environment._os() == whole
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"NAME": "A System"})
    for name, value in {"release": "", "machine": "", "libc_ver": ("", "")}.items():
        monkeypatch.setattr(platform, name, lambda value=value: value)
    unknown = absent("unknown")
    rolling = absent("unknown", "a rolling release")
    assert environment._os() == {
        "name": "A System",
        "version": rolling,
        "kernel": unknown,
        "machine": environment.sys.platform,
        "libc": unknown,
    }

    def none() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", none)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("14.1", ("", "", ""), ""))
    assert {key: environment._os()[key] for key in ("name", "version")} == {"name": "Darwin", "version": "14.1"}


def test_memory_is_counted_in_mebibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """6.6: pages by their size; absent where the system does not say."""
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1_000, "SC_PAGE_SIZE": 4_096}.__getitem__)
    assert environment._memory_mib() == 3

    def silent(_: str) -> int:
        raise ValueError

    monkeypatch.setattr(os, "sysconf", silent)
    assert environment._memory_mib() == absent("unknown", "the system does not say")


def test_what_another_machine_was_is_not_known() -> None:
    """6.6: every member is absent for one reason, and there are no variables."""
    there = absent("unknown", "a different machine computed and does not state it")
    names = ("os", "cpu", "memory_mib", "devices", "runtime", "python", "packages", "virtualisation", "sound_library")
    assert environment.unknown() == dict.fromkeys(names, there) | {"variables": []}


def test_an_engine_elsewhere_says_why_nothing_of_ours_is_its_condition() -> None:
    """6.6: and a device that was not seen has the reason of the sensor."""
    found = environment.capture(
        devices=[], runtime=[], no_devices=absent("unknown", "why"), in_process=False, environ={}
    )
    elsewhere = absent("unknown", "the engine runs outside the recorder's interpreter")
    assert [found[key] for key in ("python", "packages", "sound_library")] == [elsewhere] * 3
    assert found["devices"] == absent("unknown", "why")
    assert found["runtime"] == absent("not_applicable", "no accelerator's runtime was seen")
    assert found["variables"] == []


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        *((f"{prefix}_ANY1", True) for prefix in (
            "CUDA", "CUBLAS", "CUDNN", "OMP", "MKL", "OPENBLAS", "ONEDNN", "ATEN", "TORCH", "PYTORCH", "HIP", "ORT",
            "ESPEAK",
        )),
        *((name, True) for name in ("TORCHDYNAMO_X", "NVIDIA_TF32_OVERRIDE", "PYTHONHASHSEED", "LC_ALL", "LANG", "TZ")),
        *((name, False) for name in ("PATH", "XTZ", "LANGUAGE", "NVIDIA_X", "OMP", "cuda_x", "CUDA_x")),
    ],
)  # fmt: skip
def test_variables_that_can_change_samples_are_taken(name: str, taken: bool) -> None:
    """6.6: by their whole name."""
    assert environment.variables({name: "1"}) == ([{"name": name, "value": "1"}] if taken else [])


@pytest.mark.parametrize(
    ("value", "public"),
    [
        ("1", "1"),
        ("a/b", "(a path, withheld)"),
        ("a\\b", "(a path, withheld)"),
        ("~me", "(a path, withheld)"),
        ("x" * 5_000, "x" * 4_096),
        ("MIG-12345678/1", digest.of(b"MIG-12345678/1")),
        ("GPU-1234567", "GPU-1234567"),
    ],
)
def test_a_value_that_is_taken_names_nobody(value: str, public: str) -> None:
    """6.6: no path, no device's number; the rest as it is, cut at 4 KiB."""
    assert environment.variables({"LANG": value}) == [{"name": "LANG", "value": public}]


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ("a/b.py,sha256=x,3", True),
        ("a/b.pyc,sha256=x,3", False),
        ("../bin/b,sha256=x,3", False),
        *(
            (f"a-1.dist-info/{name},sha256=x,3", False)
            for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
        ),
        ("a-1.dist-info/METADATA,sha256=x,3", True),
        ("alone", False),
    ],
)
def test_which_rows_of_a_record_count(row: str, counts: bool) -> None:
    """5.8: what each install makes again is left out; the sizes are not counted, and the order does not matter."""
    assert (environment.record_digest(row) != environment.record_digest("")) is counts
    other = "z.py,sha256=y,1"
    assert environment.record_digest(f"{row}\n{other}") == environment.record_digest(f"{other}\n{row}")
    assert environment.record_digest(other) == environment.record_digest("z.py,sha256=y,2")
    assert environment.record_digest(other) == "sha256:" + hashlib.sha256(b"z.py,sha256=y\n").hexdigest()


def test_a_distribution_without_a_record_is_in_the_lock_all_the_same(tmp_path: Path) -> None:
    """5.8: with the digest of nothing; its name is spelled as PEP 503 has it, and the first on the path counts."""
    for number, name in enumerate(("An_Odd.Name", "an-odd-name")):
        info = tmp_path / str(number) / f"x{number}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}.5\n")
    lock = environment.dependency_lock([str(tmp_path / "0"), str(tmp_path / "1")])
    assert lock.listing.decode() == f"an-odd-name==0.5 {environment.record_digest('')}\n"
    assert lock.to_value() == {"kind": "pip-record", "digest": digest.of(lock.listing), "packages": 1}
    (found,) = environment._distributions([str(tmp_path / "0")])
    assert found["digest"] == absent("unknown", "installed without a RECORD")


def test_the_closure_of_a_package_is_all_that_it_may_have_used() -> None:
    """5.8: dependencies and what comes before them, every alternative and provider that is installed, and no other."""
    listing = (
        "espeak-ng\t1.51\tamd64\tlibc6 (>= 2.34), libespeak-ng1 (= 1.51) | other, sound\t\n"
        "libespeak-ng1\t1.51\tamd64\tlibc6:any\t\n"
        "libc6\t2.36\tamd64\t\tlibc\n"
        "alsa\t1.2\tamd64\tespeak-ng\tsound (= 1)\n"
        "pulse\t16\tamd64\t\tsound\n"
        "unrelated\t1\tamd64\tlibc6\t\n"
        "a broken line\n"
    )
    lock = environment.closure_of("espeak-ng", listing)
    assert lock is not None
    assert (lock.kind, lock.listing.decode().splitlines()) == (
        "dpkg-closure",
        ["alsa=1.2:amd64", "espeak-ng=1.51:amd64", "libc6=2.36:amd64", "libespeak-ng1=1.51:amd64", "pulse=16:amd64"],
    )
    assert environment.closure_of("nothing", listing) is None
    assert (
        environment.PACKAGE_FIELDS
        == "${Package}\t${Version}\t${Architecture}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    )
