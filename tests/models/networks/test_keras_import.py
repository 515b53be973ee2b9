"""Keras gives the same results whatever its user set, and processes, threads and streams live through it."""

import copy
import io
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn.base

from models import ArtifactError, load
from models.artifacts import save_load as artifacts
from models.networks.keras_import import KerasError, import_keras
from models.recognizers.cnn import CNN
from models.recognizers.soft_voting import SoftVoting

ROOT = Path(__file__).parents[3]
FACES = np.random.default_rng(0).integers(0, 256, (3, 2304), dtype=np.uint8)
ODD = {"floatx": "float16", "epsilon": 0.01, "image_data_format": "channels_first"}
PREDICT = """
import sys, numpy as np
import models
np.save(sys.argv[3], models.load(sys.argv[1]).predict_proba(np.load(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    import_keras().utils.set_random_seed(0)
    network = CNN()
    network.classes_, network.network_ = np.arange(7), network.build(7, "float32")
    artifacts.save(network, folder, "cnn", {"recognizer": "cnn"})
    np.save(folder / "faces.npy", FACES)
    return folder / "cnn.h5"


@pytest.fixture
def settings_of_a_user():
    """Settings that would change the results, and a check that they are left alone."""
    config = import_keras().config
    before = {name: getattr(config, name)() for name in (*ODD, "dtype_policy")}
    odd = {**ODD, "dtype_policy": "mixed_bfloat16"}
    for name, value in odd.items():
        getattr(config, f"set_{name}")(value)
    yield
    left = {name: getattr(config, name)() for name in odd}
    for name, value in before.items():
        getattr(config, f"set_{name}")(value)
    assert {**left, "dtype_policy": left["dtype_policy"].name} == odd


def predicted(saved, tmp_path, code=PREDICT, **environment):
    """Return the probabilities, and what is said, of another process."""
    command = [sys.executable, "-c", code, str(saved), str(saved.parent / "faces.npy"), str(tmp_path / "proba.npy")]
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return np.load(tmp_path / "proba.npy") if done.returncode == 0 else None, done.stderr


@pytest.fixture
def expected(saved):
    return load(saved).predict_proba(FACES)


def test_results_do_not_depend_on_what_the_user_set_before(saved, expected, settings_of_a_user):
    np.testing.assert_array_equal(load(saved).predict_proba(FACES), expected)
    fitted = CNN(epochs=1, precision="float32").fit(FACES, [0, 1, 1], validation=(FACES, [0, 1, 1]))
    assert fitted.network_.input_shape == (None, 48, 48, 1)
    assert {variable.dtype for variable in fitted.network_.trainable_variables} == {"float32"}


@pytest.mark.slow
@pytest.mark.parametrize("content", [ODD, {"floatx": "bfloat16"}])
def test_any_configuration_file_of_keras_gives_the_same(saved, tmp_path, content):
    (tmp_path / "keras.json").write_text(json.dumps(content))
    proba, said = predicted(saved, tmp_path, KERAS_HOME=str(tmp_path))
    np.testing.assert_array_equal(proba, load(saved).predict_proba(FACES), said)


@pytest.mark.slow
def test_tensorflow_imported_first_changes_no_more_than_rounding(saved, tmp_path):
    """Without oneDNN, on a processor for which it has to be asked for."""
    proba, said = predicted(saved, tmp_path, f"import tensorflow\n{PREDICT}")
    np.testing.assert_allclose(proba, load(saved).predict_proba(FACES), rtol=0, atol=1e-6, err_msg=said)


@pytest.mark.parametrize(("backend", "words"), [("openvino", "pip install openvino"), ("nonsense", "KERAS_")])
def test_a_backend_that_is_not_there_is_named(saved, tmp_path, backend, words):
    _, said = predicted(saved, tmp_path, KERAS_BACKEND=backend)
    assert "ArtifactError" in said and backend in said and words in said
    assert "its card" not in said.splitlines()[-1]


@pytest.mark.slow
def test_without_a_standard_error_it_works_and_no_file_becomes_it(saved, tmp_path):
    taken = f"import os; os.close(2); own = open({str(tmp_path / 'own')!r}, 'w'); assert own.fileno() == 2\n"
    code = f"import sys; sys.stderr = sys.__stderr__ = None\n{taken}{PREDICT}\nprint('mine', file=own)"
    proba, _ = predicted(saved, tmp_path, code)
    np.testing.assert_array_equal(proba, load(saved).predict_proba(FACES))
    assert (tmp_path / "own").read_text().endswith("mine\n")


def test_threads_leave_standard_error_where_it_was(saved):
    before, errors = os.fstat(2), []

    def use(path):
        try:
            load(path).predict_proba(FACES)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(saved.with_suffix(end),)) for end in (".h5", ".int8.tflite") * 4]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    assert os.path.samestat(os.fstat(2), before)


def test_in_a_forked_process_keras_is_an_error_instead_of_waiting_for_ever(saved, monkeypatch):
    recognizer = load(saved)
    quick = load(saved, exact=False)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(KerasError, match=r"spawn.*\.tflite"):
        recognizer.predict_proba(FACES)
    with pytest.raises(ArtifactError, match="spawn"):
        load(saved)
    with quick.network_._running[1]:  # as if another thread were predicting at the fork
        assert quick.predict_proba(FACES).shape == (3, 7)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_is_noticed(saved, tmp_path):
    code = """
import os, sys, numpy as np, models
recognizers = [models.load(sys.argv[1]), models.load(sys.argv[1], exact=False)]
X = np.load(sys.argv[2])
want = [each.predict_proba(X) for each in recognizers]
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
np.save(sys.argv[3], recognizers[1].predict_proba(X))
try:
    recognizers[0].predict_proba(X)
except ImportError:
    sys.exit(0)
"""
    proba, said = predicted(saved, tmp_path, code)
    np.testing.assert_array_equal(proba, load(saved, exact=False).predict_proba(FACES), said)


@pytest.fixture(scope="module")
def vote(saved):
    """A vote whose members are the network and its copies, saved beside them."""
    members = {"cnn": load(saved)}
    combination = SoftVoting().fit({"cnn": members["cnn"].predict_proba(FACES)}, [0, 1, 2], range(7)).attach(members)
    artifacts.save(combination, saved.parent, "soft_voting", {"recognizer": "soft_voting"})
    return saved.with_name("soft_voting.joblib")


COPIES = {
    "pickle": lambda each: pickle.loads(pickle.dumps(each)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "joblib": lambda each: joblib.load(dumped(each)),
}


def dumped(each):
    file = io.BytesIO()
    joblib.dump(each, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", ["cnn.h5", "cnn.tflite", "soft_voting.joblib"])
def test_however_it_is_copied_it_says_the_same(vote, name, exact, way):
    recognizer = load(vote.with_name(name), exact=exact)
    again = COPIES[way](recognizer)
    np.testing.assert_array_equal(again.predict_proba(FACES), recognizer.predict_proba(FACES))
    assert again.card_ == recognizer.card_
    assert sklearn.base.clone(recognizer).get_params() == recognizer.get_params()


def test_a_vote_is_saved_without_its_members(vote):
    assert vote.stat().st_size < 10_000
    assert vote.with_suffix(".skops").stat().st_size < 10_000


@pytest.mark.slow
def test_a_started_process_takes_a_model_along(vote):
    for exact in (True, False):
        recognizer = load(vote, exact=exact)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            there = pool.apply(recognizer.predict_proba, (FACES,))
        np.testing.assert_array_equal(there, recognizer.predict_proba(FACES))
