"""Events: from a boundary signal to a tree of events, its key frames and its exports."""
