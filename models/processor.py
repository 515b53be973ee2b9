"""What the processor is and can do."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

FACTS = Path("/proc/cpuinfo")


def processor() -> str:
    """Return the name of the processor."""
    found = re.search(r"^model name\s*:\s*(.+)$", _facts(), re.MULTILINE)
    return found[1] if found else platform.processor()


def has_bfloat16() -> bool:
    """Return whether the processor is known to multiply bfloat16 numbers: by AVX512_BF16 or AMX, on Linux."""
    return bool({"avx512_bf16", "amx_bf16"} & set(_facts().split()))


@cache
def _facts() -> str:
    try:
        return FACTS.read_text("utf-8")
    except OSError:  # no Linux
        return ""
