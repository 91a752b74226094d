"""Judge a model on held-out songs: tasks, metrics, floors, report."""
