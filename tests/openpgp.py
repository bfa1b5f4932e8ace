"""A throw-away key that signs what apt is to trust for the length of a test."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Keyring:
    """One new key in a folder of its own."""

    name = "matrix-fleet test <test@example.test>"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._gpg("--passphrase", "", "--quick-generate-key", self.name, "ed25519", "sign", "never")

    def export(self, *form: str, secret: bool = False) -> bytes:
        """Return the key, in binary or `--armor`."""
        return self._gpg(*form, "--export-secret-keys" if secret else "--export", self.name)

    def sign_in_line(self, text: str) -> bytes:
        """Return a text with its signature around it, as InRelease has it."""
        return self._gpg("--clearsign", "--output", "-", stdin=text.encode())

    def _gpg(self, *argv: str, stdin: bytes = b"") -> bytes:
        options = ("--homedir", str(self._folder), "--batch", "--quiet", "--pinentry-mode", "loopback", "--no-tty")
        done = subprocess.run(("gpg", *options, *argv), input=stdin, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def close(self) -> None:
        """End the agent that gpg left behind."""
        subprocess.run(("gpgconf", "--homedir", str(self._folder), "--kill", "all"), timeout=60, check=False)
