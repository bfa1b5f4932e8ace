"""Hosts spread over processes of this and other machines."""
