"""A mapping file: YAML whose scalars stay the text that is written there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from contactopt.contracts.vendors.mapping import VendorMapping
from contactopt.contracts.vendors.mapping_reader import read_mapping
from contactopt.errors import ConfigError

__all__ = ["mapping_from_yaml"]


class _Literal(yaml.BaseLoader):
    """Reads every scalar as text: the code `NO` is no truth value, `007` no number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({k for k in keys if keys.count(k) > 1})
        if twice:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"key {twice[0]!r} stands twice in the section at line {line}")
        return super().construct_mapping(node, deep)


def mapping_from_yaml(path: str | Path, extra_channels: tuple[str, ...] = ()) -> VendorMapping:
    """Read a mapping file; see `VendorMapping.from_yaml`."""
    file = Path(path)
    if not file.is_file():
        raise ConfigError(
            f"no mapping file at {file}",
            hint="`contactopt init DIR` writes an annotated mapping.yaml to start from",
        )
    try:
        data = yaml.load(file.read_text("utf-8-sig"), Loader=_Literal)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigError(
            f"{file.name} is not readable as YAML: {told}",
            hint="save it as UTF-8 and check the indentation at the line named above",
        ) from None
    return read_mapping(data or {}, file.name, extra_channels)
