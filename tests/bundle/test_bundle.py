"""A bundle gives back exactly what was saved, or nothing at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from contactopt.bundle import FORMAT_VERSION, ModelText, content_hash, load_bundle, save_bundle
from contactopt.errors import BundleError

STATE = {
    "payment": {
        "trees": ModelText("tree\nversion=v4\r\nñ"),
        "folds": [{"trees": ModelText("a")}, {"trees": ModelText("b")}],
        "knots": np.array([0.1, np.nan, -0.0, np.inf, 1e-310]),
        "when": np.array(["2026-05-01T00:00", "NaT"], dtype="datetime64[us]"),
        "mask": np.array([[True, False]]),
        "names": np.array(["a", "bcd"]),
        "mixed": np.array(["x", None, 3], dtype=object),
        "pair": (1, 2.5, (None, "z")),
        "by_code": {1: "one", 2: "two"},
        "odd": float("-inf"),
        "empty": np.empty((0, 3)),
        "big": np.array([2**63], dtype=np.uint64),
    },
    "config": {"name": "demo", "nothing": {}},
}


def assert_same(left: object, right: object) -> None:
    assert type(left) is type(right)
    if isinstance(left, np.ndarray):
        assert isinstance(right, np.ndarray)
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        if left.dtype.kind == "O":
            assert left.tolist() == right.tolist()
        else:
            np.testing.assert_array_equal(left, right)
            if left.dtype.kind == "f":
                np.testing.assert_array_equal(np.signbit(left), np.signbit(right))
    elif isinstance(left, dict):
        assert isinstance(right, dict)
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, (list, tuple)):
        assert isinstance(right, (list, tuple))
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    else:
        assert left == right or (left != left and right != right)


def saved(tmp_path: Path) -> Path:
    save_bundle(STATE, tmp_path / "bundle")
    return tmp_path / "bundle"


def reseal(folder: Path) -> None:
    """Write a manifest that fits the folder as it stands, as a forger would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        seal = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        manifest["files"][name] = seal
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_round_trip_is_exact(tmp_path: Path) -> None:
    assert_same(load_bundle(saved(tmp_path)), STATE)


def test_same_state_same_bytes_and_hash(tmp_path: Path) -> None:
    first = save_bundle(STATE, tmp_path / "a")
    second = save_bundle(load_bundle(tmp_path / "a"), tmp_path / "b")
    assert first == second == content_hash(tmp_path / "a")
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_texts_are_files_and_no_binary(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    names = {p.name for p in folder.iterdir()}
    assert {"bundle.json", "manifest.json", "payment.json", "payment.trees.txt"} <= names
    assert (folder / "payment.trees.txt").read_bytes() == STATE["payment"]["trees"].encode()
    assert {p.suffix for p in folder.iterdir()} == {".json", ".txt"}


def test_texts_whose_names_collide_stay_apart(tmp_path: Path) -> None:
    state = {"part": {"a b": ModelText("one"), "a_b": ModelText("two")}}
    save_bundle(state, tmp_path / "bundle")
    assert_same(load_bundle(tmp_path / "bundle"), state)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_any_array_round_trips(tmp_path_factory: pytest.TempPathFactory, array) -> None:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    save_bundle({"part": {"array": array}}, folder)
    assert_same(load_bundle(folder)["part"]["array"], array)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_nested_value_round_trips(tmp_path_factory: pytest.TempPathFactory, value) -> None:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    save_bundle({"part": {"value": value, "__array__": 1}}, folder)
    assert_same(load_bundle(folder)["part"]["value"], value)


def test_every_truncation_of_every_file_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for keep in {0, 1, len(whole) // 2, len(whole) - 1} - {len(whole)}:
            path.write_bytes(whole[:keep])
            if path.name == "manifest.json" and keep == len(whole) - 1:
                continue  # only the closing line break is gone: still the same manifest
            with pytest.raises(BundleError) as caught:
                load_bundle(folder)
            assert caught.value.hint
        path.write_bytes(whole)
    assert_same(load_bundle(folder), STATE)


def test_altered_file_of_same_size_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    path = folder / "payment.trees.txt"
    path.write_bytes(path.read_bytes().replace(b"v4", b"v5"))
    with pytest.raises(BundleError, match=r"payment\.trees\.txt in the bundle was altered"):
        load_bundle(folder)


def test_missing_and_extra_files_are_named(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "config.json").rename(folder / "other.json")
    with pytest.raises(BundleError, match=r"1 file\(s\) missing: config\.json"):
        load_bundle(folder)
    (folder / "config.json").write_bytes((folder / "other.json").read_bytes())
    with pytest.raises(BundleError, match=r"1 file\(s\) not its own: other\.json"):
        load_bundle(folder)


def test_no_manifest_no_bundle(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "manifest.json").unlink()
    for where in (folder, tmp_path / "nowhere"):
        with pytest.raises(BundleError, match=r"manifest\.json is missing") as caught:
            load_bundle(where)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", ["manifest.json", "bundle.json"])
def test_newer_format_is_refused_even_if_sealed(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path)
    document = json.loads((folder / name).read_text())
    document["format_version"] = FORMAT_VERSION + 1
    (folder / name).write_text(json.dumps(document))
    reseal(folder)
    with pytest.raises(BundleError, match=f"format {FORMAT_VERSION + 1}") as caught:
        load_bundle(folder)
    assert "upgrade contactopt" in str(caught.value)


@pytest.mark.parametrize("name", ["../escape.txt", "/etc/hostname", ".hidden"])
def test_manifest_cannot_name_a_path(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "size": 0}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(folder)


def test_sealed_nonsense_is_still_a_typed_error(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "config.json").write_text(
        '{"x": {"__array__": "float64", "shape": [2], "values": "1"}}'
    )
    reseal(folder)
    with pytest.raises(BundleError, match="although its hashes hold"):
        load_bundle(folder)


def test_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="holds a 'strategy', asked for a 'world'"):
        load_bundle(saved(tmp_path), kind="world")


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", np.array([1j]), "\ud800"])
def test_what_cannot_be_stored_is_named_by_its_place(tmp_path: Path, value: object) -> None:
    content = ModelText(value) if isinstance(value, str) else value
    with pytest.raises(BundleError, match=r"at part\.inner\.0 cannot be stored"):
        save_bundle({"part": {"inner": [content]}}, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["manifest", "bundle", "../x", "Upper", ""])
def test_part_names_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="cannot be the name of a part"):
        save_bundle({name: {}}, tmp_path / "bundle")


def test_save_replaces_a_bundle_and_spares_anything_else(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    save_bundle({"one": {"x": 1}}, folder)
    assert load_bundle(folder) == {"one": {"x": 1}}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.md").write_text("keep")
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        save_bundle(STATE, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.md").read_text() == "keep"


def test_empty_state(tmp_path: Path) -> None:
    digest = save_bundle({}, tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle") == {}
    assert len(digest) == 64


def test_documents_are_sealed_and_never_parsed(tmp_path: Path) -> None:
    texts = {"MODEL_CARD.md": "# Card\n{not json\n"}
    digest = save_bundle(STATE, tmp_path / "b", documents=texts)
    assert digest == content_hash(tmp_path / "b") != save_bundle(STATE, tmp_path / "plain")
    assert (tmp_path / "b" / "MODEL_CARD.md").read_text("utf-8") == texts["MODEL_CARD.md"]
    assert list(load_bundle(tmp_path / "b")) == list(STATE)
    (tmp_path / "b" / "MODEL_CARD.md").write_text("# Another card\n")
    with pytest.raises(BundleError):
        load_bundle(tmp_path / "b")
    for name in ("manifest.json", "card.md", "../CARD.md", "CARD.txt"):
        with pytest.raises(BundleError, match="cannot be the name of a document"):
            save_bundle(STATE, tmp_path / "c", documents={name: ""})
