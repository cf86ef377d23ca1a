"""The Language Server Protocol: one file a feature. Nothing else in the package knows it."""

from functools import partial

import attrs


def _read_protocol() -> None:
    """Import the protocol's 554 classes without a ``__repr__`` of their own. To compile one for each is a quarter of
    that import, which is most of what a client waits for when the server starts; what nobody prints needs none."""
    define = attrs.define
    attrs.define = partial(define, repr=False)
    try:
        import lsprotocol.types  # noqa: F401
    finally:
        attrs.define = define


_read_protocol()
