"""What comes with the installation: licences that allow any use, no version with a known vulnerability."""

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("train", "onnx", "fast", "fetch", "video", "parquet", "cluster")
FREE = re.compile(
    r"MIT|BSD|Apache|Python Software Foundation|PSF|MPL|Mozilla|ISC|Zlib|HPND|Unlicense|The Unlicense", re.I
)
RESTRICTS = re.compile(r"(?<!L)GPL|Affero|Proprietary|Commercial", re.I)
KNOWN = {
    "skops": "MIT in its LICENSE file, 'OSI approved' in its metadata",
    "namex": "Apache 2.0 in its repository, not in its metadata",
    "nvidia-nccl-cu12": "comes with XGBoost's wheel for Linux; loaded on several GPUs only",
    "daal": "extra fast: Intel Simplified Software License",
    "tbb": "extra fast: Apache 2.0, filed under 'other'",
    "tcmlib": "extra fast: Apache 2.0, filed under 'other'",
}


def dependencies():
    """Return all that the project needs, and what that needs, as far as it is installed."""
    found = {}
    waiting = [("fer-benchmark", frozenset(EXTRAS))]
    while waiting:
        name, extras = waiting.pop()
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed
        name = canonicalize_name(distribution.name)
        if name in found and extras <= found[name][1]:
            continue
        found[name] = distribution, extras
        for text in distribution.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {*extras, ""}):
                waiting.append((needed.name, frozenset(needed.extras)))
    return {name: distribution for name, (distribution, _) in found.items()}


def licence(distribution):
    about = distribution.metadata
    classifiers = [text for text in about.get_all("Classifier", []) if text.startswith("License ::")]
    return about.get("License-Expression") or "; ".join([*classifiers, (about.get("License") or "")[:200]])


def test_every_dependency_may_be_used_by_anybody():
    found = dependencies()
    assert {"numpy", "tensorflow", "xgboost", "skops"} <= set(found)
    licences = {name: licence(distribution) for name, distribution in found.items() if name not in KNOWN}
    strange = {name: text for name, text in licences.items() if not FREE.search(text) or RESTRICTS.search(text)}
    assert not strange


@pytest.mark.slow
def test_no_dependency_has_a_known_vulnerability():
    if not importlib.util.find_spec("pip_audit"):
        pytest.skip("needs pip-audit: pip install -e '.[dev]'")
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        pytest.skip(f"PyPI's advisories cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    ours = dependencies()
    audited = {each["name"]: each for each in json.loads(done.stdout)["dependencies"] if "vulns" in each}
    checked = {name: each["vulns"] for name, each in audited.items() if canonicalize_name(name) in ours}
    if not checked:
        pytest.skip("PyPI's advisories cannot be reached")
    assert not {name: [flaw["id"] for flaw in flaws] for name, flaws in checked.items() if flaws}
