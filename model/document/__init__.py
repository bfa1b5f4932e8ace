"""YAML that is small, flat and unambiguous: read, written, and where in a file a value stands."""

from __future__ import annotations

from model.document.document import DocumentError, dump, parse, read

__all__ = ["DocumentError", "dump", "parse", "read"]
