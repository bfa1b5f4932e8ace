"""Compliance: looked at, judged, kept, shown, and mended."""
