"""Bring every image of the application to the nodes that may run it: `lab run -- python -m benchmarks.stage_images`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import closing, run_on_hosts
from flows._fleet.inventory import inventory
from flows._rollout.material import site_bundle
from model.rollout.render import render_site, upstream_of
from model.rollout.staging import by_host, image_needs
from model.site.load import load_site
from tasks import application_images

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_SECONDS = 900.0


def main() -> int:
    """Stage them on all nodes at once; return 1 where one did not get them."""
    folder = Path(os.environ["MATRIX_FLEET_INVENTORY"])
    site = load_site(folder)
    place, bundle = site_bundle(site, folder)
    if place is None or bundle is None:
        raise RuntimeError("the lab's site names no bundle")
    wanted = by_host(image_needs(site, render_site(site, bundle, upstream_of(bundle, place))))

    def stage(host: Host) -> tuple[str, ...]:
        return application_images.stage(host, bundle, place, wanted[host.name])

    nr = inventory(folder)
    with closing(nr):
        answers = run_on_hosts(nr, stage, names=list(wanted), deadline=_SECONDS)
    failed = {name: answer.message for name, answer in answers.items() if isinstance(answer, HostFailure)}
    for name, why in failed.items():
        sys.stderr.write(f"{name}: {why}\n")
    return 1 if failed or not answers else 0


if __name__ == "__main__":
    sys.exit(main())
