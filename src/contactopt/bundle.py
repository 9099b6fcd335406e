"""State <-> folder of text and JSON, sealed by a SHA-256 manifest; no pickle.

A bundle is a flat folder::

    bundle.json            format version, kind, library version, names of the parts
    <part>.json            one part of the state, arrays with type, shape and exact values
    <part>.<key>.txt       long text of that part (a LightGBM model, for instance)
    <NAME>.md              what people read (a model card); sealed, never parsed
    manifest.json          size and SHA-256 of every other file

Nothing is parsed before the whole folder has been compared with the manifest: a truncated
LightGBM text would kill the process, and an altered one would load without a word.
The content hash of a bundle is the SHA-256 of its manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from contactopt.errors import BundleError, sample_ids

__all__ = ["FORMAT_VERSION", "ModelText", "content_hash", "load_bundle", "save_bundle"]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
INDEX = "bundle.json"
_PART_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_DOCUMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*\.md\Z")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_SAVE_AGAIN = "load another version, or save the strategy again"


class ModelText(str):
    r"""Long text of a state that a bundle keeps in a file of its own.

    Examples
    --------
    >>> ModelText("tree\nversion=v4") == "tree\nversion=v4"
    True
    """

    __slots__ = ()


def save_bundle(
    state: Mapping[str, Any],
    folder: str | Path,
    *,
    kind: str = "strategy",
    documents: Mapping[str, str] | None = None,
) -> str:
    """Write a state as a bundle: whole or not at all, same state same bytes.

    Parameters
    ----------
    state : mapping of str to dict
        Part name (snake case) to its state: nested dicts, lists, tuples, strings, numbers,
        booleans, None, numpy arrays (boolean, integer, float, text, datetime64, timedelta64,
        or objects of these) and ``ModelText``. An empty state is a valid bundle.
    folder : str or Path
        Where to write. An earlier bundle there is replaced; any other content is refused.
    kind : str
        What the bundle holds; ``load_bundle`` can ask for it.
    documents : mapping of str to str, optional
        Texts for people, by file name (``MODEL_CARD.md``); sealed like the rest.

    Returns
    -------
    str
        The content hash (64 hexadecimal digits).

    Raises
    ------
    BundleError
        A value cannot be stored, or the folder holds something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     digest = save_bundle({"knots": {"x": np.array([0.1, 0.2])}}, parent + "/bundle")
    ...     load_bundle(parent + "/bundle")["knots"]["x"].tolist()
    [0.1, 0.2]
    """
    target = Path(folder)
    _refuse_foreign_folder(target)
    files = _render(state, kind, documents or {})
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as work:
        fresh = Path(work, "new")
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        if target.exists():
            target.rename(Path(work, "old"))
        fresh.rename(target)
    return hashlib.sha256(files[MANIFEST]).hexdigest()


def load_bundle(folder: str | Path, *, kind: str | None = None) -> dict[str, Any]:
    """Read a bundle after every file has been compared with the manifest.

    Parameters
    ----------
    folder : str or Path
        A folder written by ``save_bundle``.
    kind : str, optional
        Refuse a bundle of another kind.

    Returns
    -------
    dict
        The state that was saved, arrays with their types, shapes and exact values.

    Raises
    ------
    BundleError
        Missing manifest; a file that is missing, truncated, altered or was added; a format
        newer than this library; another kind than asked for. Nothing of it was parsed.
    """
    files, _ = _read_sealed(Path(folder))
    index = _parse(files, INDEX)
    _check_format(index)
    found = index.get("kind")
    if kind is not None and found != kind:
        raise BundleError(
            f"bundle holds a {found!r}, asked for a {kind!r}", hint="give the folder of the other"
        )
    try:
        return {part: _decode(_parse(files, f"{part}.json"), files) for part in index["parts"]}
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            "bundle does not follow its own format, although its hashes hold", hint=_SAVE_AGAIN
        ) from error


def content_hash(folder: str | Path) -> str:
    """Compare a bundle with its manifest and return its content hash.

    Raises
    ------
    BundleError
        As ``load_bundle``.
    """
    return _read_sealed(Path(folder))[1]


# -- writing ------------------------------------------------------------------------------------


def _render(state: Mapping[str, Any], kind: str, documents: Mapping[str, str]) -> dict[str, bytes]:
    """All files of the bundle, name to bytes, the manifest last."""
    files: dict[str, bytes] = {}
    for name, text in documents.items():
        if not _DOCUMENT_NAME.match(name):
            raise BundleError(
                f"{name!r} cannot be the name of a document", hint="use capitals: MODEL_CARD.md"
            )
        files[name] = text.encode()
    for part, content in state.items():
        if not _PART_NAME.match(part) or part in {"bundle", "manifest"}:
            raise BundleError(
                f"{part!r} cannot be the name of a part",
                hint="use snake case, and neither 'bundle' nor 'manifest'",
            )
        texts: dict[str, bytes] = {}
        files[f"{part}.json"] = _json_bytes(_encode(content, (part,), texts))
        files.update(texts)
    files[INDEX] = _json_bytes(
        {
            "format_version": FORMAT_VERSION,
            "kind": kind,
            "library_version": _library_version(),
            "parts": list(state),
        }
    )
    seals = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in sorted(files.items())
    }
    files[MANIFEST] = _json_bytes({"format_version": FORMAT_VERSION, "files": seals})
    return files


def _library_version() -> str:
    try:
        return version("contactopt")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


def _json_bytes(value: Any) -> bytes:
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="surrogatepass")  # as json.loads reads bytes


def _encode(value: Any, path: tuple[str, ...], texts: dict[str, bytes]) -> Any:
    """Plain JSON for a value; long texts are put into ``texts`` under their file name."""
    if isinstance(value, ModelText):
        return {"__text__": _put_text(value, path, texts)}
    if isinstance(value, np.ndarray):
        return _encode_array(value, path, texts)
    if isinstance(value, np.generic):
        if value.dtype.kind in "biufU":
            return _encode(value.item(), path, texts)
        return {"__scalar__": _encode_array(np.asarray(value), path, texts)}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"__float__": repr(value)}
    if isinstance(value, Mapping):
        return _encode_mapping(value, path, texts)
    if isinstance(value, (list, tuple)):
        items = [_encode(item, (*path, str(i)), texts) for i, item in enumerate(value)]
        return {"__tuple__": items} if isinstance(value, tuple) else items
    raise _not_storable(type(value).__name__, path)


def _encode_mapping(
    value: Mapping[Any, Any], path: tuple[str, ...], texts: dict[str, bytes]
) -> Any:
    plain = all(isinstance(key, str) and not key.startswith("__") for key in value)
    pairs = [(key, _encode(item, (*path, str(key)), texts)) for key, item in value.items()]
    if plain:
        return dict(pairs)
    return {"__items__": [[_encode(key, (*path, "key"), texts), item] for key, item in pairs]}


def _encode_array(array: np.ndarray, path: tuple[str, ...], texts: dict[str, bytes]) -> Any:
    kind = array.dtype.kind
    flat = array.ravel()
    if kind == "O":
        values: Any = [_encode(item, (*path, str(i)), texts) for i, item in enumerate(flat)]
        dtype = "object"
    elif kind == "U":
        values, dtype = flat.tolist(), f"U{array.dtype.itemsize // 4}"
    elif kind in "biu" or array.dtype in (np.float16, np.float32, np.float64):
        # one line of text per array; repr of a float gives back the same bits
        numbers = flat.astype(np.int8) if kind == "b" else flat
        values, dtype = " ".join(map(repr, numbers.tolist())), array.dtype.name
    elif kind in "mM":
        values, dtype = " ".join(map(repr, flat.astype(np.int64).tolist())), array.dtype.name
    else:
        raise _not_storable(f"array of {array.dtype}", path)
    return {"__array__": dtype, "shape": list(array.shape), "values": values}


def _put_text(value: str, path: tuple[str, ...], texts: dict[str, bytes]) -> str:
    stem = ".".join(re.sub(r"[^A-Za-z0-9_-]", "_", step) for step in path)
    name, number = f"{stem}.txt", 2
    while name in texts:
        name, number = f"{stem}.{number}.txt", number + 1
    try:
        texts[name] = value.encode()
    except UnicodeEncodeError as error:
        raise _not_storable("text with lone surrogates", path) from error
    return name


def _not_storable(what: str, path: tuple[str, ...]) -> BundleError:
    return BundleError(
        f"{what} at {'.'.join(path)} cannot be stored in a bundle",
        hint="use dicts, lists, numbers, text, numpy arrays and ModelText",
    )


def _refuse_foreign_folder(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MANIFEST).is_file()):
        raise BundleError(
            f"{target.name} exists and is not a bundle", hint="name a new or empty folder"
        )


# -- reading ------------------------------------------------------------------------------------


def _read_sealed(folder: Path) -> tuple[dict[str, bytes], str]:
    """Bytes of every file, compared with the manifest, and the content hash."""
    if not (folder / MANIFEST).is_file():
        raise BundleError(
            f"no bundle in {folder.name!r}: {MANIFEST} is missing",
            hint="give the folder that save() wrote",
        )
    sealed = (folder / MANIFEST).read_bytes()
    seals = _seals(sealed)
    present = {entry.name for entry in folder.iterdir()} - {MANIFEST}
    for names, what in ((set(seals) - present, "missing"), (present - set(seals), "not its own")):
        if names:
            raise BundleError(
                f"bundle has {len(names)} file(s) {what}: {sample_ids(names)}", hint=_SAVE_AGAIN
            )
    files = {name: _read_file(folder / name, seal) for name, seal in seals.items()}
    return files, hashlib.sha256(sealed).hexdigest()


def _seals(sealed: bytes) -> dict[str, dict[str, Any]]:
    try:
        manifest = json.loads(sealed)
        _check_format(manifest)
        seals = manifest["files"]
        fair = INDEX in seals and all(
            _FILE_NAME.match(name) and isinstance(seal["size"], int) and len(seal["sha256"]) == 64
            for name, seal in seals.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{MANIFEST} cannot be read", hint=_SAVE_AGAIN) from error
    if not fair:
        raise BundleError(f"{MANIFEST} cannot be read", hint=_SAVE_AGAIN)
    return seals


def _read_file(path: Path, seal: Mapping[str, Any]) -> bytes:
    if not path.is_file() or path.is_symlink():
        raise BundleError(f"{path.name} in the bundle is not a plain file", hint=_SAVE_AGAIN)
    size = path.stat().st_size
    if size != seal["size"]:
        raise BundleError(
            f"{path.name} in the bundle has {size} bytes, {seal['size']} were written",
            hint=_SAVE_AGAIN,
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != seal["sha256"]:
        raise BundleError(f"{path.name} in the bundle was altered", hint=_SAVE_AGAIN)
    return content


def _check_format(document: Mapping[str, Any]) -> None:
    found = document["format_version"]
    if not isinstance(found, int) or found < 1:
        raise BundleError("bundle names no format version", hint=_SAVE_AGAIN)
    if found > FORMAT_VERSION:
        raise BundleError(
            f"bundle has format {found}, this library reads up to {FORMAT_VERSION}",
            hint="upgrade contactopt, or load an older version of the strategy",
        )


def _parse(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return json.loads(files[name])
    except (KeyError, ValueError) as error:
        raise BundleError(f"{name} in the bundle cannot be read", hint=_SAVE_AGAIN) from error


def _decode(value: Any, files: Mapping[str, bytes]) -> Any:
    if isinstance(value, list):
        return [_decode(item, files) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        return _decode_array(value, files)
    if "__text__" in value:
        return ModelText(files[value["__text__"]].decode())
    if "__tuple__" in value:
        return tuple(_decode(item, files) for item in value["__tuple__"])
    if "__float__" in value:
        return float(value["__float__"])
    if "__scalar__" in value:
        return _decode(value["__scalar__"], files)[()]
    if "__items__" in value:
        return {_decode(key, files): _decode(item, files) for key, item in value["__items__"]}
    return {key: _decode(item, files) for key, item in value.items()}


def _decode_array(value: Mapping[str, Any], files: Mapping[str, bytes]) -> np.ndarray:
    shape, values = tuple(value["shape"]), value["values"]
    if value["__array__"] == "object":
        array = np.empty(len(values), dtype=object)
        array[:] = [_decode(item, files) for item in values]
        return array.reshape(shape)
    dtype = np.dtype(value["__array__"])
    if dtype.kind == "U":
        return np.array(values, dtype=dtype).reshape(shape)
    if dtype.kind == "f":
        return np.array([float(word) for word in values.split()], dtype=dtype).reshape(shape)
    whole = np.int64 if dtype.kind in "bmM" else dtype
    return np.array([int(word) for word in values.split()], whole).astype(dtype).reshape(shape)
