"""The CPU: its name, and whether it computes in bfloat16."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# What ONEDNN_MAX_CPU_ISA may say, without the multiplication of bfloat16 numbers.
OLDER_ISA = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}


def processor() -> str:
    """Return the name of the processor."""
    match = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return match[1] if match else platform.processor()


def has_bfloat16() -> bool:
    """Return whether bfloat16 numbers are known to be multiplied here: by AVX512_BF16 or AMX, on Linux.

    The environment variable ``ONEDNN_MAX_CPU_ISA`` may keep oneDNN, which multiplies for TensorFlow, from either.
    """
    highest = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return highest not in OLDER_ISA and bool({"avx512_bf16", "amx_bf16"} & set(_cpuinfo().split()))


@cache
def _cpuinfo() -> str:
    try:
        return CPUINFO.read_text("utf-8")
    except OSError:  # no Linux
        return ""
