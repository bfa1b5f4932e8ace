"""One kernel of checks, and the two families of them that stand in the model: of a site's files, and of bare hosts."""
