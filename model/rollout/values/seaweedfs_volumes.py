"""What the templates of SeaweedFS's masters and volume servers need to know: the same as those of its gateways."""

from __future__ import annotations

from model.rollout.values.seaweedfs import values

__all__ = ["values"]
