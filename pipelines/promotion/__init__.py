"""From a registered model to the one that is served: the gate between challenger and champion, and its records."""
