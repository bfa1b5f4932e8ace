"""The checks of preflight by subject: one module each, found by discovery."""
