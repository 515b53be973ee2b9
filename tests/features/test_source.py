from features import source

CODE = '''"""Module."""
import os  # why


def f(x):
    """Doc.

    More.
    """
    # comment
    return "# no comment"
'''


def test_only_code_counts():
    assert source.code_only(CODE) == 'import os\ndef f(x):\n    return "# no comment"'


def test_explanations_do_not_change_the_digest_but_code_does(tmp_path, monkeypatch):
    package = tmp_path / "models"
    package.mkdir()
    (package / "one.py").write_text("from models import two\nfrom features.three import f\n")
    (package / "two.py").write_text("x = 1\n")
    (package / "registry.py").write_text("x = 1\n")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "three.py").write_text("def f():\n    import models.registry\n    return 1\n")
    monkeypatch.setattr(source, "ROOT", tmp_path)
    before = source.code_digest("models.one")
    (package / "two.py").write_text('"""Now explained."""\n\nx = 1  # one\n')
    (package / "registry.py").write_text("x = 2\n")
    assert source.code_digest("models.one") == before
    (package / "two.py").write_text("x = 2\n")
    second = source.code_digest("models.one")
    (tmp_path / "features" / "three.py").write_text("def f():\n    return 2\n")
    assert len({before, second, source.code_digest("models.one")}) == 3


def test_recognizers_reach_their_descriptors():
    assert source.code_digest("models.hog_svm") != source.code_digest("models.lbp_xgb")


def test_a_new_descriptor_leaves_the_others_recognizers_alone():
    reached = source.reached("models.hog_svm")
    assert {"models.hog_svm", "models.base", "models.rbf_svm", "features.hog", "features.rows"} <= set(reached)
    assert not {"features.lbp", "features", "models", "models.cnn"} & set(reached)


def test_what_is_no_python_has_a_digest_too(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(source, "ROOT", tmp_path)
    digests = []
    for text in ("def (", "def )"):
        (tmp_path / "models" / "mine.py").write_text(text)
        assert source.code_only(text) == text
        digests.append(source.code_digest("models.mine"))
    assert len(set(digests)) == 2
