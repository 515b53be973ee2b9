"""Copies of networks that answer without TensorFlow."""

import json
import subprocess
import sys

import numpy as np
import pytest

from models import ArtifactError, load
from models.artifacts import save_load as artifacts
from models.artifacts.formats import EIGHT_BITS, FLOAT32
from models.files.atomic import sha256
from models.networks.litert import LiteNetwork
from models.recognizers.cnn import CNN
from models.recognizers.cnn_aug import AugmentedCNN

pytestmark = pytest.mark.trains


@pytest.fixture(scope="module", params=[pytest.param("cnn", marks=pytest.mark.slow), "cnn_aug"])
def saved(request, faces, tmp_path_factory):
    kind = {"cnn": CNN, "cnn_aug": AugmentedCNN}[request.param]
    train, valid = faces.limited(160)["Training"], faces["PublicTest"]
    network = kind(epochs=3, precision="float32").fit(train.X, train.y, validation=(valid.X, valid.y))
    folder = tmp_path_factory.mktemp("models")
    card = artifacts.save(network, folder, request.param, {"recognizer": request.param})
    assert set(card["copies"]) == {FLOAT32, EIGHT_BITS}
    return folder / card["artifact"]


def test_the_copy_in_32_bits_is_the_network(saved, faces):
    X = faces["PrivateTest"].X
    copy = load(saved.with_suffix(FLOAT32))
    assert isinstance(copy.network_, LiteNetwork)
    np.testing.assert_allclose(copy.predict_proba(X), load(saved).predict_proba(X), atol=1e-5)
    assert copy.card_ == load(saved).card_


def test_the_copy_in_eight_bits_is_near_it_and_is_what_is_loaded_where_speed_counts(saved, faces):
    X = faces["PrivateTest"].X
    copy, network = load(saved, exact=False), load(saved)
    difference = np.abs(copy.predict_proba(X) - network.predict_proba(X)).max()
    assert 1e-5 < difference < 0.1
    np.testing.assert_array_equal(load(saved.with_suffix(EIGHT_BITS)).predict_proba(X), copy.predict_proba(X))
    assert saved.with_suffix(EIGHT_BITS).stat().st_size < 0.3 * saved.stat().st_size


def test_a_face_has_the_same_probabilities_in_any_company(saved, faces):
    X = faces["PrivateTest"].X[:9]
    for form in (FLOAT32, EIGHT_BITS):
        copy = load(saved.with_suffix(form))
        together = copy.predict_proba(X)
        np.testing.assert_array_equal(np.concatenate([copy.predict_proba(X[i : i + 1]) for i in range(9)]), together)


def test_it_needs_no_tensorflow(saved):
    code = (
        "import sys, numpy as np; from models import load; "
        f"load({str(saved)!r}, exact=False).predict_proba(np.zeros((2, 2304), np.uint8)); "
        "assert not {'tensorflow', 'keras', 'jax'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_copies_are_checked_too(saved):
    copy, path = saved.with_suffix(EIGHT_BITS), saved.with_suffix(".json")
    content, card = copy.read_bytes(), path.read_text("utf-8")
    try:
        copy.write_bytes(b"junk")
        with pytest.raises(ArtifactError, match=r"int8\.tflite: does not match its card"):
            load(saved, exact=False)
        copies = {**json.loads(card)["copies"], EIGHT_BITS: sha256(copy)}
        path.write_text(json.dumps({**json.loads(card), "copies": copies}), "utf-8")
        with pytest.raises(ArtifactError, match="does not match its card"):
            load(saved, exact=False)
    finally:
        copy.write_bytes(content)
        path.write_text(card, "utf-8")


def test_a_copy_alone_is_enough_but_not_exact(saved):
    away = saved.with_name("away")
    saved.rename(away)
    try:
        assert isinstance(load(saved, exact=False).network_, LiteNetwork)
        with pytest.raises(ArtifactError, match="only 8-bit versions"):
            load(saved)
    finally:
        away.rename(saved)
