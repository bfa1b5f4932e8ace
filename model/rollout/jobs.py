"""Names of jobs: what a job does is in its name, since a job cannot be changed."""

from __future__ import annotations

import hashlib


def job_name(content: str) -> str:
    """Return the part of a job's name that another content would change."""
    return hashlib.sha256(content.encode()).hexdigest()[:10]
