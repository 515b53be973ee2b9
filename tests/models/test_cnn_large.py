"""The residual network for GPUs: its size, a training of two steps, its file in half the bytes."""

import numpy as np
import pytest

from models import load
from models.artifacts.formats import write_artifact
from models.artifacts.save_load import save
from models.networks.keras_recognizer import import_keras
from models.recognizers import cnn_large as recipe
from models.recognizers.cnn_deep import cnn_deep

pytestmark = pytest.mark.trains

X = np.random.default_rng(0).integers(0, 256, (16, 2304), dtype=np.uint8)


def test_it_has_the_parameters_and_multiplications_that_it_says():
    network = recipe.cnn_large().build(7, "float32")
    assert 4.2e6 < network.count_params() < 4.4e6
    kernels = [(layer.kernel, layer.output) for layer in network.layers if "conv2d" in layer.name]
    products = sum(np.prod(kernel.shape) * np.prod(output.shape[1:3]) for kernel, output in kernels)
    assert 1.2e9 < products < 1.4e9


def test_a_block_passes_its_input_on_at_first():
    network = recipe.cnn_large().build(7, "float32")
    outputs = [layer.output for layer in network.layers if layer.name.startswith("re_lu")]
    ends = import_keras().Model(network.inputs, [outputs[0], outputs[2]])
    before, after = ends([X[:2].reshape(2, 48, 48, 1).astype(np.float32)])
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_brightness_does_not_count():
    faces = X[:2].reshape(2, 48, 48, 1) / 2.0
    for network in (recipe.cnn_large().build(7, "float32"), cnn_deep().build(7, "float32")):
        np.testing.assert_allclose(network(faces + 60), network(faces), atol=1e-4)


@pytest.mark.slow
def test_a_fitted_one_comes_back_from_a_file_of_half_the_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "STAGES", ((16, 1), (32, 1)))  # which is quick to train
    fitted = recipe.cnn_large().set_params(epochs=1, batch_size=8, precision="float32")
    fitted.fit(X, np.arange(16) % 7, validation=(X[:4], np.arange(4)))
    path = tmp_path / save(fitted, tmp_path, "cnn_large", {"recognizer": "cnn_large"})["artifact"]
    again = load(path)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    weights = again.network_.get_weights()
    kernels, others = ([each for each in weights if (each.ndim > 1) is wanted] for wanted in (True, False))
    assert {each.dtype.name for each in weights} == {"float32"}
    assert all((each == each.astype(np.float16)).all() for each in kernels)
    assert any((each != each.astype(np.float16)).any() for each in others)
    fitted.half_precision_kernels = False
    write_artifact(fitted, tmp_path / "whole.h5")
    fewer = (tmp_path / "whole.h5").stat().st_size - path.stat().st_size
    assert fewer > 1.8 * sum(each.size for each in kernels)
