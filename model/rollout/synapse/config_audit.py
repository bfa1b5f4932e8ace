"""What Synapse's own check lets pass: duties given to nobody, secrets in clear, a process's other name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from model.errors import did_you_mean
from model.rollout.synapse.processes import MAIN, MASTER

Config = Mapping[str, Any]
# Settings that name one process or several, besides the streams.
_LISTS = ("federation_sender_instances", "pusher_instances", "outbound_federation_restricted_to")
_SINGLE = (
    "run_background_tasks_on",
    "update_user_directory_from_worker",
    "notify_appservices_from_worker",
    "media_instance_running_background_jobs",
)
# A setting so called holds a secret, unless what it says is a path.
_SECRET = re.compile(
    r"(^|_)(password|passwd|pass|secret|secret_key|access_key(_id)?|token|pepper|private_key|signing_key)$"
)


def merged(*files: str) -> dict[str, Any]:
    """Merge files as Synapse does: of each top-level setting the last one counts as a whole."""
    found: dict[str, Any] = {}
    for text in files:
        found.update(yaml.load(text, Loader=yaml.CSafeLoader) or {})
    return found


def audit(configs: Mapping[str, Config]) -> tuple[str, ...]:
    """
    Return in sentences what is wrong with the merged configurations of all processes, by the names of their pods; the
    main process's is that which has no `worker_name`.
    """
    running = {str(config.get("worker_name", MASTER)) for config in configs.values()}
    found: list[str] = []
    for process, config in configs.items():
        clear = (f"{path} holds a secret in clear; name a file" for path in secrets_in_clear(config))
        sentences = (*_names(process, config), *_ghosts(config, running), *clear)
        found += [f"{process}: {sentence}" for sentence in sentences]
    return tuple(dict.fromkeys(found))


def _names(process: str, config: Config) -> Iterator[str]:
    name = config.get("worker_name")
    if config.get("worker_app") and name != process:
        yield f"worker_name is {name}, and its pod is called {process}"


def _ghosts(config: Config, running: Collection[str]) -> Iterator[str]:
    """Yield each duty of a process that no pod runs, or that the others cannot reach."""
    mapped = set(config.get("instance_map") or {})
    for stream, writers in (config.get("stream_writers") or {}).items():
        for writer in [writers] if isinstance(writers, str) else writers:
            yield from _nobody(f"stream_writers.{stream}", writer, running)
            if (MAIN if writer == MASTER else writer) not in mapped:
                yield f"stream_writers.{stream} names {writer}, which instance_map lacks"
    for name in mapped - {MAIN}:
        yield from _nobody("instance_map", name, running)
    for setting in _LISTS:
        for name in config.get(setting) or ():
            yield from _nobody(setting, name, running)
    for setting in _SINGLE:
        if config.get(setting):
            yield from _nobody(setting, config[setting], running)


def _nobody(setting: str, name: str, running: Collection[str]) -> Iterator[str]:
    if name not in running:
        yield f"{setting} names {name}, and no pod is called so{did_you_mean(name, running)}"


def secrets_in_clear(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of settings that hold a secret itself, not the name of a file with it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else str(key)
            if isinstance(inner, str) and inner and _SECRET.search(str(key)):
                yield here
            yield from secrets_in_clear(inner, here)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from secrets_in_clear(inner, f"{path}[{number}]")
    elif isinstance(value, str) and re.search(r"://[^/@:]*:[^/@]+@", value):
        yield path
