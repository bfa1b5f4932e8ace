"""How many hosts are worked on in parallel, and heard of every one."""
