"""Names of settings are taken from a schema and from the manual made of it; what the schema leaves open stays open."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from apps.setting_dump.setting_dump import UNDOCUMENTED, of_manual, of_schema
from model.checkout import ROOT
from model.rollout.synapse.settings import known_settings

DEFS: dict[str, Any] = {"rate": {"type": "object", "properties": {"fast": {"type": "number"}}}}
SCHEMA: dict[str, Any] = {
    "$id": "of/1.1",
    "type": "object",
    "$defs": DEFS,
    "properties": {
        "name": {"type": "string"},
        "rates": {"type": "object", "properties": {"one": {"$ref": "#/$defs/rate"}}},
        "more": {"$ref": "#/$defs/rate", "properties": {"slow": {"type": "number"}}},
        "shelves": {"type": "object", "additionalProperties": {"$ref": "#/$defs/rate"}},
        "open": {"type": "object", "properties": {"x": {}}, "additionalProperties": True},
        "plain": {"type": "object"},
        "either": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"y": {}}}]},
        "parts": {
            "type": "array",
            "items": {"properties": {"module": {}, "config": {"properties": {"example": {}}}, "kept": {}}},
        },
        "gone": {"type": "string"},
    },
}
TREE = {
    "name": None,
    "rates": {"one": {"fast": None}},
    "more": {"fast": None, "slow": None},
    "shelves": {"*": {"fast": None}},
    "open": None,
    "plain": None,
    "either": {"y": None},
    "parts": {"module": None, "config": None, "kept": None},
    "gone": None,
}
MANUAL = """
### `name`

*(string)* Words with a list of their own:

* `none`: of the settings

---
### `rates`

This setting has the following sub-options:

* `one` (object): Words

  * `none`: again

  This setting has the following sub-options:

  * `fast` (number): Words

    * `none`: deeper
  * `faster` (number): Words

* `two`: Words

Example configuration:
```yaml
rates: {}
```
---
### `shelves`
### `parts`

Options for each entry include:

* `module` (string): Words
* `config` (object): Words

  This setting has the following sub-options:

  * `example` (string): Words
* `new` (string): Words
"""


def test_a_schema_says_what_may_stand_where() -> None:
    assert of_schema(SCHEMA, DEFS) == TREE


def test_a_manual_lists_what_is_within_each_setting() -> None:
    assert of_manual(MANUAL) == {
        "name": None,
        "rates": {"one": {"fast": None, "faster": None}, "two": None},
        "shelves": None,
        "parts": {"module": None, "config": {"example": None}, "new": None},
    }


def _dump(*arguments: str | Path) -> dict[str, Any]:
    program = ROOT / "apps" / "setting_dump" / "setting_dump.py"
    done = subprocess.run([sys.executable, program, *arguments], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_versions_own_manual_says_which_there_are_and_the_schema_what_is_open(tmp_path: Path) -> None:
    schema, manual = tmp_path / "schema.yaml", tmp_path / "manual.md"
    schema.write_text(json.dumps(SCHEMA))
    manual.write_text(MANUAL)
    alone, both = _dump("1.1", schema), _dump("1.2", schema, manual)
    assert (alone["version"], alone["settings"]) == ("1.1", {**TREE, **UNDOCUMENTED})
    assert (both["version"], both["schema"]) == ("1.2", "of/1.1")
    assert both["settings"] == {
        "name": None,
        "rates": {"one": {"fast": None, "faster": None}, "two": None},
        "shelves": {"*": {"fast": None}},
        "parts": {"module": None, "config": None, "new": None},
        **UNDOCUMENTED,
    }


def test_what_is_kept_has_what_nobody_documents() -> None:
    found = known_settings("1.163.2")
    assert found is not None
    assert UNDOCUMENTED.keys() <= found.tree.keys()
