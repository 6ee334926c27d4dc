"""YAML that strangers wrote: plain values, and no more of them than the text has."""

from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_LOADER):
    """Refuses merges (``<<``), each of which repeats what it names: ten of ten are 10¹⁰ values."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == _MERGE:
                raise yaml.constructor.ConstructorError(
                    None, None, "holds a merge (<<)", key.start_mark
                )


def read_plain_yaml(text: str) -> Any:
    """The plain values of a text; raises ``yaml.YAMLError`` or ``ValueError``, in one line, for any
    other."""
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except RecursionError:
        raise yaml.YAMLError("holds values too deep within others") from None
