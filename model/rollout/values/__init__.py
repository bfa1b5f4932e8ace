"""Values that one component's templates need beyond the site itself: `values(site)` of the module of its name."""
