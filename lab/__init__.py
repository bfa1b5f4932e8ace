"""Disposable real Debian hosts on this machine, in networks that no packet can leave."""
