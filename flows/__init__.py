"""Commands: `python -m flows.<name>`."""

import gc

# Modules and a site's documents stay for as long as a flow runs: looking through them again and again for garbage costs
# a tenth of a short one.
gc.set_threshold(50_000, 20, 50)
