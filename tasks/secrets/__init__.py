"""The site's secrets: kept encrypted in its folder, opened by who runs flows."""
