"""What the bridge costs, compared with its peers: run by ``scripts/bench``, not collected by pytest."""
