"""How any command runs: flags, the site, locks, what is said on the way, the report, the exit code."""
