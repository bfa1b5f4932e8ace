"""Whom a site speaks to and that is no part of it, at the vantage host: a mail relay, and a second homeserver."""
