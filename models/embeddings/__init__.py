"""Word vectors: how they are learnt."""
