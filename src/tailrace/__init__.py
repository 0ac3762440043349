"""tailrace: every agent event is exported or accounted for, per sink."""
