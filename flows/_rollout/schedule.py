"""Components side by side, each once all that it needs is ready."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from model.rollout.graph import needed
from model.site.components import Component

_SIDE_BY_SIDE = 6
Work = Callable[[Component], bool]
Skip = Callable[[Component, str], None]


def run_in_order(components: Sequence[Component], work: Work, skip: Skip, stop: threading.Event) -> None:
    """
    Work on every component, in threads; `work` returns whether others may stand on it.

    One that needs a component that did not become good is not begun: `skip` hears of it, and the name of that one.
    Where this is left by an exception, `stop` is set before the threads are waited for: they end soon.
    """
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="component") as pool:
        try:
            _run(pool, components, work, skip)
        except BaseException:
            stop.set()
            raise


def _run(pool: ThreadPoolExecutor, components: Sequence[Component], work: Work, skip: Skip) -> None:
    names = {component.name for component in components}
    waiting = list(components)
    good: set[str] = set()
    bad: set[str] = set()
    running: dict[Future[bool], str] = {}
    while waiting or running:
        for component in list(waiting):
            needs = needed(component, names)
            failed = next((need for need in needs if need in bad), None)
            if failed is not None:
                waiting.remove(component)
                bad.add(component.name)
                skip(component, failed)
            elif good.issuperset(needs):
                waiting.remove(component)
                running[pool.submit(work, component)] = component.name
        for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
            (good if future.result() else bad).add(running.pop(future))
