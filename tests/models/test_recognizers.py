"""What is particular to one recognizer."""

import pickle
from itertools import combinations

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.svm import SVC

from models import ArtifactError, load
from models.artifacts.save_load import save
from models.networks.cpu import has_bfloat16, processor
from models.networks.keras_import import import_keras
from models.parts.pairwise_coupling import PairwiseCalibrator, couple_pairwise
from models.parts.rbf_svm import STEPS, RbfSVM, pairwise_coefficients
from models.parts.rounded_rows import RoundedRows
from models.recognizers.cnn import CNN
from models.registry import recognizers


def test_cnn_is_the_published_network():
    network = CNN().build(7, "float32")
    shapes = [layer.output.shape[1:] for layer in network.layers]
    assert shapes == [
        (48, 48, 1),
        (46, 46, 64),
        (23, 23, 64),
        (21, 21, 64),
        (10, 10, 64),
        (8, 8, 128),
        (4, 4, 128),
        (2, 2, 256),
        (1, 1, 256),
        (256,),
        (256,),
        (128,),
        (128,),
        (7,),
    ]
    assert network.count_params() == 506_183
    assert [layer.rate for layer in network.layers if type(layer).__name__ == "Dropout"] == [0.25]
    assert network.layers[0].scale == 1 / 255
    activations = [layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")]
    assert activations == ["relu"] * 6 + ["softmax"]


@pytest.mark.trains
@pytest.mark.parametrize("ema_epochs", [0, 1])
def test_cnn_keeps_the_best_epoch_and_its_history(faces, ema_epochs):
    train, valid = faces.limited(100)["Training"], faces["PublicTest"]
    # In float32, as it predicts: in bfloat16 a face may be taken for another emotion while it trains.
    cnn = CNN(epochs=8, patience=2, batch_size=16, learning_rate=3e-3, ema_epochs=ema_epochs, precision="float32").fit(
        train.X, train.y, validation=(valid.X, valid.y)
    )
    history = cnn.history_
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert 1 <= len(history["loss"]) <= 8
    accuracy = (cnn.predict(valid.X) == valid.y).mean()
    assert accuracy == pytest.approx(max(history["val_accuracy"]), abs=1e-6)


@pytest.mark.trains
def test_cnn_predicts_in_float32_whatever_it_trained_in(faces, precision):
    X, y = faces["Training"].X[:16], faces["Training"].y[:16]
    cnn = CNN(epochs=1, batch_size=8, precision=precision).fit(X, y, validation=(X, y))
    assert {layer.compute_dtype for layer in cnn.network_.layers} == {"float32"}
    assert np.isfinite(cnn.history_["loss"]).all()
    np.testing.assert_allclose(cnn.predict_proba(X).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "highest", "multiplies"),
    [
        ("avx512f avx512_bf16", "", True),
        ("avx2 amx_bf16", "", True),
        ("avx2", "", False),
        ("avx512f avx512_bf16 amx_bf16", "AVX512_CORE_AMX", True),
        ("avx512f avx512_bf16 amx_bf16", "DEFAULT", True),
        ("avx512f avx512_bf16 amx_bf16", "AVX512_CORE", False),
        ("avx512f avx512_bf16 amx_bf16", "avx2", False),
        ("avx2", "AVX512_CORE_BF16", False),
    ],
)
def test_bfloat16_is_multiplied_where_the_processor_can_and_the_library_may(flags, highest, multiplies, monkeypatch):
    monkeypatch.setattr("models.networks.cpu._cpuinfo", lambda: f"model name\t: a processor\nflags\t\t: {flags}\n")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", highest)
    assert has_bfloat16() is multiplies and processor() == "a processor"


@pytest.mark.parametrize("name", ["cnn", "cnn_aug", "cnn_deep"])
@pytest.mark.parametrize(
    ("multiplies", "gpu", "policy"),
    [(True, False, "mixed_bfloat16"), (False, True, "mixed_bfloat16"), (False, False, "float32")],
)
def test_networks_train_in_bfloat16_only_where_it_is_multiplied(name, multiplies, gpu, policy, faces, monkeypatch):
    monkeypatch.setattr("models.networks.keras_recognizer.has_bfloat16", lambda: multiplies)
    monkeypatch.setattr("models.networks.keras_recognizer.gpu_is_seen", lambda: gpu)
    recognizer = recognizers()[name].make()
    trained = []

    def build(n_classes, policy):
        trained.append(policy)
        raise InterruptedError

    monkeypatch.setattr(recognizer, "build", build)
    with pytest.raises(InterruptedError):
        recognizer.fit(faces["Training"].X, faces["Training"].y)
    assert trained == [policy]


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(300, 5, centers=4, cluster_std=4, random_state=0)
    return X.astype(np.float32), y, np.random.default_rng(0).uniform(0.5, 2, 300)


def test_svm_decides_as_scikit_learn(blobs):
    X, y, weight = blobs
    machine = RbfSVM(C=2).fit(X, y, weight)
    rounded = RoundedRows(STEPS, common_step=True).fit(X.T).values.T
    expected = SVC(C=2, gamma=machine.gamma_, decision_function_shape="ovo").fit(rounded, y, sample_weight=weight)
    np.testing.assert_allclose(machine.decision_function(X), expected.decision_function(X), atol=5e-3)


def test_what_svm_saves_is_in_eight_bits_and_decides_the_same(blobs):
    X, y, weight = blobs
    machine = RbfSVM(C=2).fit(X, y, weight)
    assert machine.support_vectors_.multiples_.dtype == np.int8
    assert machine.support_vectors_.multiples_.shape == (5, len(machine.coefficients_))
    loaded = pickle.loads(pickle.dumps(machine))
    np.testing.assert_array_equal(loaded.decision_function(X), machine.decision_function(X))
    alone = np.concatenate([machine.decision_function(X[place : place + 1]) for place in range(5)])
    np.testing.assert_allclose(alone, machine.decision_function(X)[:5], atol=1e-3)


def test_pairwise_coefficients_by_hand():
    # Three classes with one support vector each: a column a pair, row j-1 of class i, row i of class j.
    dual = np.array([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])
    expected = [[1, 2, 0], [3, 0, 4], [0, 5, 6]]
    np.testing.assert_array_equal(pairwise_coefficients(dual, np.array([1, 1, 1])), expected)


def test_coupling_finds_the_distribution_behind_consistent_pairs():
    truth = np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]])
    pairwise = truth[:, :, None] / (truth[:, :, None] + truth[:, None, :])
    np.testing.assert_allclose(couple_pairwise(pairwise), truth, atol=1e-9)


def test_coupling_minimises_what_the_paper_says():
    rng = np.random.default_rng(0)
    pairwise = np.zeros((1, 3, 3))
    for i, j in combinations(range(3), 2):
        pairwise[0, i, j] = rng.uniform(0.2, 0.8)
        pairwise[0, j, i] = 1 - pairwise[0, i, j]

    def loss(p):
        r = pairwise[0]
        return sum((r[j, i] * p[i] - r[i, j] * p[j]) ** 2 for i in range(3) for j in range(3) if i != j)

    best = couple_pairwise(pairwise)[0]
    near = best + rng.normal(0, 0.01, (200, 3))
    assert all(loss(best) <= loss(other / other.sum()) for other in near)


def test_calibration_lowers_the_log_loss_of_held_out_faces(blobs):
    X, y, weight = blobs
    machine = RbfSVM().fit(X[:150], y[:150], weight[:150])
    calibrator = PairwiseCalibrator().fit(machine.decision_function(X[150:225]), y[150:225], 4)
    proba = calibrator.predict_proba(machine.decision_function(X[225:]))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert -np.log(proba[np.arange(75), y[225:]]).mean() < np.log(4) / 2


def test_a_network_with_code_in_its_file_is_refused(tmp_path):
    keras = import_keras()
    network = keras.Sequential([keras.Input((48, 48, 1)), keras.layers.Lambda(lambda faces: faces * 2)])
    cnn = CNN()
    cnn.classes_, cnn.network_ = np.arange(7), network
    card = save(cnn, tmp_path, "cnn", {"recognizer": "cnn"})
    with pytest.raises(ArtifactError, match="Lambda"):
        load(tmp_path / card["artifact"])
