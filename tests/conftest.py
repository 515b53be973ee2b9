"""What all tests share: a cache of their own, synthetic faces, and a skip where the real FER2013 is not given."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmark.data import Dataset
from benchmark.data.synthetic import synthetic_dataset


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_BENCHMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def faces() -> Dataset:
    """Synthetic faces: 480 Training, 60 PublicTest, 60 PrivateTest."""
    return synthetic_dataset(600)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("FER2013"):
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason="set FER2013 to the path of the real data"))
