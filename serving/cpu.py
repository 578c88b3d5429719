"""The processor's instruction sets that affect how fast and how precisely models are computed."""

import platform
from pathlib import Path
from typing import Final

INFO: Final = Path("/proc/cpuinfo")
# Linux names: x86-64 first, then aarch64.
SETS: Final = (
    *("sse4_1", "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"),
    *("asimd", "asimddp", "i8mm", "bf16", "sve", "sve2"),
)


def instruction_sets(info: Path = INFO) -> list[str]:
    """The members of SETS that the processor has, in that order; empty if the system does not list them."""
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = [line.partition(":") for line in lines]
    flags = next((set(value.split()) for key, _, value in named if key.strip() in ("flags", "Features")), set())
    return [name for name in SETS if name in flags]


def described(info: Path = INFO) -> str:
    """The instruction sets that int8 products depend on, as text: "AVX2 without VNNI"."""
    have = instruction_sets(info)
    if not have or "asimd" in have:
        return platform.machine()
    width = "AVX-512" if "avx512f" in have else "AVX2" if "avx2" in have else "SSE"
    return f"{width} {'with' if {'avx_vnni', 'avx512_vnni'} & set(have) else 'without'} VNNI"
