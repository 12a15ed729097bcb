"""What the bridge costs, beside its peers. Run by ``scripts/bench``; pytest does not collect it."""
