"""The processor's instruction sets are read from the system; a system that lists none is handled."""

import platform
from pathlib import Path

import pytest

from serving.cpu import described, instruction_sets

X86 = "processor\t: 0\nmodel name\t: some\nflags\t\t: fpu sse4_1 {} cmov\n\nprocessor\t: 1\nflags\t\t: fpu\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp bf16 i8mm\n"


@pytest.mark.parametrize(
    ("flags", "sets", "words"),
    [
        (
            "avx512_vnni avx2 avx512f avx512_bf16",
            ["sse4_1", "avx2", "avx512f", "avx512_vnni", "avx512_bf16"],
            "AVX-512 with VNNI",
        ),
        ("avx avx2 avx512f", ["sse4_1", "avx2", "avx512f"], "AVX-512 without VNNI"),
        ("avx avx2", ["sse4_1", "avx2"], "AVX2 without VNNI"),
        ("avx2 avx_vnni", ["sse4_1", "avx2", "avx_vnni"], "AVX2 with VNNI"),
        ("avx", ["sse4_1"], "SSE without VNNI"),
    ],
)
def test_x86(flags: str, sets: list[str], words: str, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(X86.format(flags))
    assert instruction_sets(info) == sets
    assert described(info) == words


def test_aarch64(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(ARM)
    assert instruction_sets(info) == ["asimd", "asimddp", "i8mm", "bf16"]
    assert described(info) == platform.machine()


def test_a_system_without_cpuinfo(tmp_path: Path) -> None:
    assert instruction_sets(tmp_path / "missing") == []
    assert described(tmp_path / "missing") == platform.machine()
