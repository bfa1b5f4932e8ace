"""The subjects: one module each, found by discovery."""
