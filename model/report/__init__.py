"""Outcomes, cells, waivers: what a run comes to."""
