"""Making a site, and the documents that follow from one."""
