"""Templates compiled once, and kept until they change."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from typing_extensions import override

from model.rollout.kept import Kept


class CompiledTemplates(BytecodeCache):
    """What templates of `folder` are compiled to under these options of their environment."""

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self.kept = Kept(folder)
        # What is compiled depends on them, and jinja2 compares the template's text alone.
        self.options = hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()[:12]

    @override
    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(EOFError, ValueError, pickle.UnpicklingError):
            bucket.load_bytecode(io.BytesIO(self.kept.read(self._name(bucket))))

    @override
    def dump_bytecode(self, bucket: Bucket) -> None:
        compiled = io.BytesIO()
        bucket.write_bytecode(compiled)
        self.kept.write(self._name(bucket), compiled.getvalue())

    def _name(self, bucket: Bucket) -> str:
        return f"{bucket.key}.{self.options}.{sys.implementation.cache_tag}"
