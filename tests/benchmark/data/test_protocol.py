import numpy as np
import pytest

from benchmark.data.protocol import PROTOCOLS, Setting, class_weights

Y = np.repeat([0, 1, 2, 3, 4, 5, 6], [10, 1, 10, 20, 10, 10, 9])


def test_balanced_weights_are_n_over_7_n_c():
    np.testing.assert_allclose(class_weights(Y, "balanced"), 70 / (7 * np.array([10, 1, 10, 20, 10, 10, 9])))


def test_the_original_weights_favour_the_frequent():
    weights = class_weights(Y, "frequency")
    assert weights.argmax() == 3
    assert weights.argmin() == 1
    assert weights[3] / weights[1] == pytest.approx(20)


@pytest.mark.parametrize("scheme", ["balanced", "frequency", "none"])
def test_the_mean_face_weighs_one(scheme):
    assert class_weights(Y, scheme)[Y].mean() == pytest.approx(1)
    without_disgust = Y[Y != 1]
    assert class_weights(without_disgust, scheme)[1] == 0
    assert class_weights(without_disgust, scheme)[without_disgust].mean() == pytest.approx(1)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="balanced, frequency, none"):
        class_weights(Y, "inverse")


def test_protocols_never_select_on_what_they_report():
    for protocol in PROTOCOLS.values():
        assert len({protocol.fit, protocol.select, protocol.report}) == 3
    assert (PROTOCOLS["kaggle"].select, PROTOCOLS["kaggle"].report) == ("PublicTest", "PrivateTest")
    assert (PROTOCOLS["course"].select, PROTOCOLS["course"].report) == ("PrivateTest", "PublicTest")


def test_whatever_sets_runs_apart_shows_in_the_path():
    kaggle = PROTOCOLS["kaggle"]
    assert Setting(kaggle).folder == "kaggle"
    other = Setting(kaggle, "frequency", 500, {"hog_svm": {"C": 3}})
    assert other.folder == "kaggle-frequency-limit500-hog_svm.C=3"


@pytest.mark.parametrize(
    "value",
    ["../../x", "..", "a/b", "a\nb", "a b", "x" * 300, "1", "None", "a-b.c=d", "mixed_bfloat16", "(" * 300, ""]
    + [1, 0.5, -1, 1e-5, None, True, (9,), (1, 2)],
)
def test_every_value_has_a_folder_of_its_own_and_comes_back(value, tmp_path):
    from benchmark.runs.options import parse_overrides
    from models.registry import Entry

    setting = Setting(PROTOCOLS["kaggle"], overrides={"cnn": {"precision": value}})
    path = tmp_path / setting.folder
    path.mkdir()
    assert path.resolve().parent == tmp_path.resolve()
    assert setting.folder.startswith("kaggle-cnn.precision=")
    assert setting.folder != Setting(PROTOCOLS["kaggle"], overrides={"cnn": {"precision": f"{value}x"}}).folder

    class Made:
        def get_params(self):
            return {"precision": 0}

    assert parse_overrides(setting.changes, {"cnn": Entry("cnn", factory=Made)}) == setting.overrides


def test_words_and_numbers_have_different_folders():
    def folder(**values):
        return Setting(PROTOCOLS["kaggle"], overrides={"a": values}).folder

    assert folder(x="1") != folder(x=1)
    assert folder(x="1-a.y=2") != folder(x=1, y=2)
