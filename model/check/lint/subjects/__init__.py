"""The rules of lint by subject: one module each, found by discovery."""
