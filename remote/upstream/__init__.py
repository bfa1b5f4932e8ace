"""Publishers' servers: files, image registries, Debian's archive."""
