"""`python -m lab serve` and `withdraw`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from lab import lifecycle
from lab.instance import Instance
from lab.outside import serving
from lab.outside.homeserver import HOMESERVER
from lab.outside.relay import MAIL

EXAMPLES = {
    "serve": ".venv/bin/python -m lab serve mail",
    "withdraw": ".venv/bin/python -m lab withdraw mail",
}


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add both commands to the parser's."""
    services = "\n".join(f"  {name:<13} {service.title}" for name, service in serving.SERVICES.items())
    begin = command("serve", "let the vantage host be somebody whom the site speaks to", _serve, changes=True)
    end = command("withdraw", "end that; the emitted site no longer speaks of it", _withdraw, changes=True)
    for sub in (begin, end):
        sub.epilog = f"names:\n{services}\n\n{sub.epilog}"
        sub.add_argument("name", metavar="NAME", choices=sorted(serving.SERVICES))


def _serve(instance: Instance, arguments: argparse.Namespace) -> None:
    with lifecycle.lock(instance, _say):
        context = serving.serve(instance, arguments.name, _say)
    if arguments.name == MAIL.name:
        user, password = context.login
        _say(f"it takes mail of {user}, whose password it printed: both belong into the secret smtp")
        print(password)
    if arguments.name == HOMESERVER.name and not context.trusted:
        _say("the site has no authority yet, so it trusts nobody of the site: serve it again after a rollout")
    _say(f"{instance.inventory / 'site.yaml'} speaks of it: `python -m lab run -- .venv/bin/python -m flows.rollout`")


def _withdraw(instance: Instance, arguments: argparse.Namespace) -> None:
    with lifecycle.lock(instance, _say):
        serving.withdraw(instance, arguments.name)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
