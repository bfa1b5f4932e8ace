"""Publishers' manifests as objects: a megabyte of YAML, which takes longer to read than all else to render."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml

from model.kubernetes.manifests import Manifest
from model.rollout.kept import Kept


def objects_of(text: str, folder: Path) -> list[Manifest]:
    """
    Return the objects of a publisher's file; what was read once is kept under `folder`, by the text's digest.

    Raises `yaml.YAMLError` for a text that is none.
    """
    kept, name = Kept(folder), f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    digest, _, content = kept.read(name).partition(b"\n")
    if content and _digest(content) == digest:
        known: list[Manifest] = json.loads(content)
        return known
    objects = [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]
    content = json.dumps(objects, default=str, skipkeys=True).encode()
    # JSON has no dates, and no keys but strings: what it cannot say is read from the text each time.
    if json.loads(content) == objects:
        kept.write(name, _digest(content) + b"\n" + content)
    return objects


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
